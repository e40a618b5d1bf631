/* reflection_service.h -- gRPC's server reflection, v1 and v1alpha: what services are here and
 * of what types, so that grpcurl can list, describe and call them. Runs in a worker. */
#ifndef MYGRPCADAPTER_WORKER_SERVICES_REFLECTION_SERVICE_H
#define MYGRPCADAPTER_WORKER_SERVICES_REFLECTION_SERVICE_H

struct methods;
struct reflection_service;

/* Makes the service and adds its methods to `methods`, where they are good as long as the service.
 * Returns 0 or -ENOMEM; the caller owns *out. */
int reflection_service_open(struct reflection_service **out, struct methods *methods);

/* Frees; NULL-safe; sets *sp to NULL. */
void reflection_service_close(struct reflection_service **sp);

#endif
