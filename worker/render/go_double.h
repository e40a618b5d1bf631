/* go_double.h -- a double as Go prints it. Runs in a worker; keeps nothing. */
#ifndef MYGRPCADAPTER_WORKER_RENDER_GO_DOUBLE_H
#define MYGRPCADAPTER_WORKER_RENDER_GO_DOUBLE_H

#include <stddef.h>

#define GO_DOUBLE_BYTES_MAX 32

#ifdef __cplusplus
extern "C" {
#endif

/* Writes `value` as Go's fmt prints a float64 with %v, without a closing NUL; returns the length,
 * at most 24.
 *
 * These are the fewest digits that read back as the same double; with an exponent of at least two
 * digits if the value is at least 1e6 or less than 1e-4 in size, without one else; "NaN", "+Inf"
 * and "-Inf" (Go's strconv.FormatFloat with 'g' and precision -1). */
size_t go_double_format(double value, char out[GO_DOUBLE_BYTES_MAX]);

#ifdef __cplusplus
}
#endif

#endif
