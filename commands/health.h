/* health.h -- the command `mygrpcadapter health`: asks an adapter whether it serves.
 *
 * For a container's HEALTHCHECK, a probe of exec kind, a script. It is a process of its own, a gRPC
 * client of grpc.health.v1.Health.
 */
#ifndef MYGRPCADAPTER_COMMANDS_HEALTH_H
#define MYGRPCADAPTER_COMMANDS_HEALTH_H

/* Runs the command; argv[0] is "health". Returns the exit code of the process: 0 if the answer is
 * SERVING, 1 if it is another, EX_USAGE (64) for wrong arguments, EX_UNAVAILABLE (69) if no answer
 * came, EX_IOERR (74) if its output cannot be written. */
int health_command(int argc, char **argv);

#endif
