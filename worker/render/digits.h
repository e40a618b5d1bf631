/* digits.h -- decimal digits two at a time. Runs in a worker: text.c and go_double.cc write
 * every number of every call with it. */
#ifndef MYGRPCADAPTER_WORKER_RENDER_DIGITS_H
#define MYGRPCADAPTER_WORKER_RENDER_DIGITS_H

#include <stdint.h>
#include <string.h>

/* Writes a number below 100 as two digits. */
static inline void
digits_put_two(char *out, uint64_t number)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    memcpy(out, pairs + number * 2, 2);
}

#endif
