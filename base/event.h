/* event.h -- posting an eventfd(2). Used by every process. */
#ifndef MYGRPCADAPTER_BASE_EVENT_H
#define MYGRPCADAPTER_BASE_EVENT_H

/* Wakes whoever waits for the eventfd. Cannot fail: one that is full has been posted already. Keeps
 * errno; may be used in a signal handler. */
void event_post(int event_fd);

#endif
