/* go_time.h -- google.protobuf.Timestamp and Duration as gogo's Go types print them. Runs in a
 * worker; keeps nothing.
 *
 * The rules are those of gogo/protobuf's types package (timestamp.go, duration.go) and of Go's
 * time.Duration.String(): what is out of range is not refused but printed as an error text.
 */
#ifndef MYGRPCADAPTER_WORKER_RENDER_GO_TIME_H
#define MYGRPCADAPTER_WORKER_RENDER_GO_TIME_H

#include <stdint.h>

struct text;

/* Appends RFC 3339 in UTC with as many digits after the seconds as are needed,
 * "2019-03-16T01:02:03.000000004Z"; or, for a moment outside the years 1 to 9999 or nanoseconds
 * outside 0 to 999999999, gogo's complaint in parentheses. */
void go_time_add_timestamp(struct text *text, int64_t seconds, int32_t nanos);

/* The same for a Timestamp that is absent. */
void go_time_add_no_timestamp(struct text *text);

/* Appends hours, minutes and seconds, "1h0m1.5s", or below a second one unit, "1.5ms"; or gogo's
 * complaint in parentheses if the parts are out of range, differ in sign or pass the 292 years of a
 * time.Duration. */
void go_time_add_duration(struct text *text, int64_t seconds, int32_t nanos);

/* The same for a Duration that is absent. */
void go_time_add_no_duration(struct text *text);

#endif
