/* health_service.h -- gRPC's health checking protocol: /grpc.health.v1.Health, Check and Watch.
 * Runs in a worker.
 *
 * Any worker answers for the whole adapter, by the scoreboard. "" and "metric.HandleMetricService"
 * are NOT_SERVING while the adapter drains, while no worker is healthy, and while a worker refuses
 * calls because the volume is full or segments.limit_bytes is reached. "liveness" is SERVING as
 * long as somebody answers: to restart an adapter makes no room on a volume.
 */
#ifndef MYGRPCADAPTER_WORKER_SERVICES_HEALTH_SERVICE_H
#define MYGRPCADAPTER_WORKER_SERVICES_HEALTH_SERVICE_H

struct health_service;
struct heritage;
struct methods;

/* Makes the service and adds its methods to `methods`, where they are good as long as the service.
 * Returns 0 or -ENOMEM; the caller owns *out. */
int health_service_open(struct health_service **out, struct methods *methods,
                        const struct heritage *heritage);

/* Frees; NULL-safe; sets *sp to NULL. */
void health_service_close(struct health_service **sp);

#endif
