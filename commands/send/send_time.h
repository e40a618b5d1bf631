/* send_time.h -- durations and points in time as a person writes them, turned into what protobuf
 * carries.
 *
 * Durations are read as Go's time.ParseDuration reads them, because that is how they stand in
 * Istio's configuration; points in time are RFC 3339. Pure functions over text, run in the process
 * of `mygrpcadapter send`.
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEND_SEND_TIME_H
#define MYGRPCADAPTER_COMMANDS_SEND_SEND_TIME_H

#include <stdint.h>

/* Reads "1h2m3.5s", "12ms", "-1.5h", "3us", "3µs", "0". Seconds and nanoseconds come out with the
 * same sign, as google.protobuf.Duration wants them. Returns 0; -EINVAL if it is no duration;
 * -ERANGE if it is longer than an int64 of nanoseconds (292 years). */
int send_time_parse_duration(const char *text, int64_t *seconds_r, int32_t *nanos_r);

/* Reads "2019-03-16T01:02:03.5Z" or "2019-03-16T01:02:03+02:00", up to nine decimals. Nanoseconds
 * come out positive, as google.protobuf.Timestamp wants them. Returns 0; -EINVAL if it is no RFC
 * 3339 time; -ERANGE if it is not within the years 1 to 9999 (UTC). */
int send_time_parse_timestamp(const char *text, int64_t *seconds_r, int32_t *nanos_r);

#endif
