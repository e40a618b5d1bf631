/* metric_service.h -- Mixer's metric template: /metric.HandleMetricService/HandleMetric. Runs in a
 * worker. */
#ifndef MYGRPCADAPTER_WORKER_SERVICES_METRIC_SERVICE_H
#define MYGRPCADAPTER_WORKER_SERVICES_METRIC_SERVICE_H

struct heritage;
struct journal;
struct methods;
struct metric_service;

/* Makes the service, which appends to `journal`, and adds its method to `methods`, where it is
 * good as long as the service. Returns 0 or a negative errno; the caller owns *out and keeps the
 * journal alive. */
int metric_service_open(struct metric_service **out, struct methods *methods,
                        const struct heritage *heritage, struct journal *journal);

/* Frees; NULL-safe; sets *sp to NULL. */
void metric_service_close(struct metric_service **sp);

#endif
