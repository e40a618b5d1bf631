/* list.h -- intrusive lists: what is in one holds a link, and the list is a ring through its head.
 * Used by every process.
 *
 * A list's memory is that of its items: to add one cannot fail, and one that is in the list must be
 * removed before it is freed.
 */
#ifndef MYGRPCADAPTER_BASE_LIST_H
#define MYGRPCADAPTER_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* The structure of type `type` whose member `member` is at `address`. */
#define CONTAINER_OF(address, type, member)                                                        \
    ((type *)(void *)((char *)(address)-offsetof(type, member)))

/* A place in a list, or a list's head. */
struct list_link {
    struct list_link *before;
    struct list_link *after;
};

/* Makes a head an empty list, or a link one that is in no list. */
static inline void
list_init(struct list_link *link)
{
    link->before = link;
    link->after = link;
}

/* Whether a list is empty, or a link in no list. */
static inline bool
list_is_empty(const struct list_link *link)
{
    return link->after == link;
}

/* Puts a link that is in no list at the list's end. */
static inline void
list_append(struct list_link *head, struct list_link *link)
{
    link->before = head->before;
    link->after = head;
    head->before->after = link;
    head->before = link;
}

/* Takes a link out of its list; does nothing if it is in none. */
static inline void
list_remove(struct list_link *link)
{
    link->before->after = link->after;
    link->after->before = link->before;
    list_init(link);
}

/* Moves all of a list into another one, an empty one, in their order. */
static inline void
list_move(struct list_link *from, struct list_link *to)
{
    list_init(to);
    if (list_is_empty(from))
        return;
    *to = *from;
    to->after->before = to;
    to->before->after = to;
    list_init(from);
}

#endif
