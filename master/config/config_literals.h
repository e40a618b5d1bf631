/* config_literals.h -- finds the integers in a configuration file that libconfig would cut to 32
 * bits without a word.
 *
 * libconfig 1.5 reads `4294975296` as 8000: only a literal that ends in L has 64 bits. A limit that
 * is silently another one is worse than a refusal. Used only by master/config/config_file.c.
 */
#ifndef MYGRPCADAPTER_MASTER_CONFIG_CONFIG_LITERALS_H
#define MYGRPCADAPTER_MASTER_CONFIG_CONFIG_LITERALS_H

struct complaint;

/* Scans one file (not those it includes). Returns 0, or fills *complaint, naming file, line and
 * setting, and returns EX_CONFIG. A file that cannot be read is no complaint: libconfig has just
 * read it. */
int config_literals_check(const char *path, struct complaint *complaint);

#endif
