/* admin.h -- the process that tells outsiders how the adapter does: HTTP at admin.address.
 *
 * It is neither master nor worker and stands in nobody's way: it reads the scoreboard, and its
 * death touches nothing. Only the master includes this.
 */
#ifndef MYGRPCADAPTER_ADMIN_ADMIN_H
#define MYGRPCADAPTER_ADMIN_ADMIN_H

struct heritage;

/* The admin process, from its fork to its end. Returns its exit code. */
int admin_main(const struct heritage *heritage);

#endif
