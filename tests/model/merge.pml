/* merge.pml -- how records come from segments into outputs, and what kills, losses of power, failed syncs, strangers and
 * damage may do meanwhile. For spin; README.md says what is in it and what is not.
 *
 * What is explored is chosen by macros; tests/model/run has the combinations:
 *   a shape        SHAPE_PLAIN, SHAPE_CHAIN, SHAPE_NAMES, SHAPE_APART, SHAPE_TWINS, SHAPE_RENAMED
 *   a durability   machine, or PROCESS, or MIXED; UNACKNOWLEDGED
 *   how often      KILLS, CUTS, FAILURES, ... (below)
 *   a fault        FAULT_...: the protocol with a step left out or done wrong
 *   ONLY_ONCE      nothing is asserted but that each record stands in its output once, and what strangers wrote is there
 */

/* ---- how often each thing happens, at most */

#ifndef KILLS
#define KILLS 0 /* SIGKILL of the collector */
#endif
#ifndef CUTS
#define CUTS 0 /* loss of power */
#endif
#ifndef FAILURES
#define FAILURES 0 /* syncs that fail, or pages that the kernel could not write while no collector ran */
#endif
#ifndef SHORTS
#define SHORTS 0 /* appends that stop early while the collector lives: a full volume */
#endif
#ifndef STRANGERS
#define STRANGERS 0 /* appends of a stranger to an output */
#endif
#ifndef RENAMES
#define RENAMES 0 /* of an output, by a stranger */
#endif
#ifndef REPLACEMENTS
#define REPLACEMENTS 0 /* of an output by a new file, by a stranger, while no collector runs */
#endif
#ifndef FLIPS
#define FLIPS 0 /* copies of a ledger's generation that are damaged */
#endif
#ifndef REFUSALS
#define REFUSALS 0 /* outputs that cannot be recovered for a while */
#endif
#ifndef MISSES
#define MISSES 0 /* segments that a listing of the directory does not show */
#endif

/* ---- shapes: RECORDS records in SEGMENTS segments, for OUTPUTS outputs, in FILES files. A set of records, segments or
 * outputs is a mask. Records may have the same text: one report may go to two outputs, or come twice. */

#define BIT(i) (1 << (i))

#if defined(SHAPE_CHAIN) /* two segments with one record each, one output */
#define RECORDS 2
#define SEGMENTS 2
#define OUTPUTS 1
#define FILES 1
#define OUTPUT_OF(record) 0
#define FILE_OF(output) 0
#define SEGMENT_OF(record) (record)
#define TEXT_OF(record) (record)
#elif defined(SHAPE_NAMES) /* two outputs that are two names of one file; their records have the same text */
#define RECORDS 2
#define SEGMENTS 1
#define OUTPUTS 2
#define FILES 1
#define OUTPUT_OF(record) (record)
#define FILE_OF(output) 0
#define SEGMENT_OF(record) 0
#define TEXT_OF(record) 0
#elif defined(SHAPE_APART) /* two outputs, two files, one segment */
#define RECORDS 2
#define SEGMENTS 1
#define OUTPUTS 2
#define FILES 2
#define OUTPUT_OF(record) (record)
#define FILE_OF(output) (output)
#define SEGMENT_OF(record) 0
#define TEXT_OF(record) (record)
#elif defined(SHAPE_TWINS) /* three records, the first and the last with the same text */
#define RECORDS 3
#define SEGMENTS 1
#define OUTPUTS 1
#define FILES 1
#define OUTPUT_OF(record) 0
#define FILE_OF(output) 0
#define SEGMENT_OF(record) 0
#define TEXT_OF(record) ((record)&1)
#elif defined(SHAPE_RENAMED) /* one output; file 0 gets another name at some time, and file 1 comes in its place */
#define RECORDS 2
#define SEGMENTS 1
#define OUTPUTS 1
#define FILES 2
#define OUTPUT_OF(record) 0
#define FILE_OF(output) current
#define SEGMENT_OF(record) 0
#define TEXT_OF(record) (record)
byte current;
#else /* two records in one segment, one output */
#ifndef SHAPE_PLAIN
#define SHAPE_PLAIN
#endif
#define RECORDS 2
#define SEGMENTS 1
#define OUTPUTS 1
#define FILES 1
#define OUTPUT_OF(record) 0
#define FILE_OF(output) 0
#define SEGMENT_OF(record) 0
#define TEXT_OF(record) (record)
#endif

#define TEXTS 2
#define ALL_RECORDS (BIT(RECORDS) - 1)
#define ALL_SEGMENTS (BIT(SEGMENTS) - 1)

/* The records whose durability is "machine". A loss of power may take or double the others; a kill may not. */
#if defined(PROCESS)
#define DURABLE 0
#elif defined(MIXED)
#define DURABLE 1
#else
#define DURABLE ALL_RECORDS
#endif

/* What the collector takes for durable. */
#ifdef FAULT_DURABILITY_OF_COLLECTOR
byte starts; /* the second collector has other settings */
#define TAKEN_FOR_DURABLE (starts > 1 -> 0 : DURABLE)
#else
#define TAKEN_FOR_DURABLE DURABLE
#endif

/* The records in the segments. UNACKNOWLEDGED: the last one is not on the disk at first, and only then acknowledged. */
#ifdef UNACKNOWLEDGED
byte written = ALL_RECORDS;
byte disk_written = ALL_RECORDS & ~BIT(RECORDS - 1);
#define WRITTEN written
#define ACKNOWLEDGED disk_written
#else
#define WRITTEN ALL_RECORDS
#define ACKNOWLEDGED ALL_RECORDS
#endif
#ifdef FAULT_UNSYNCED_RECORDS_READ
#define READABLE WRITTEN
#else
#define READABLE ACKNOWLEDGED
#endif

/* ---- output files: cells, in the page cache and on the disk. A record is two cells, one behind the other. */

#define CELLS 24
#define NOTHING 0 /* zeros: what stood here never came to the disk */
#define FOREIGN 1
#define FIRST_HALF(record) (2 + 2 * TEXT_OF(record))
#define SECOND_HALF(record) (3 + 2 * TEXT_OF(record))
#define CELL(file, at) cell[(file)*CELLS + (at)]
#define DISK_CELL(file, at) disk_cell[(file)*CELLS + (at)]

byte cell[FILES * CELLS];
byte disk_cell[FILES * CELLS];
byte size[FILES];
byte disk_size[FILES];
int unsynced[FILES]; /* a mask: cells that were written since the last sync, whatever came of that */
bool named[FILES];   /* the disk has the file's name */
byte foreign[FILES]; /* cells of strangers that must be there */

/* ---- ledgers: two slots of two copies each. A generation is one number: its own number (modulo 8; those that stand beside
 * each other are at most 3 apart), intent or settled, which file, the file's size before the batch, and the records that are
 * in the file before and after the batch. A record's bit that is not set in "before" means that the record is still to come,
 * or that the ledger has forgotten the segment. */

#define TORN 0
#define GENERATION(number, intent, file, size, before, after) \
    (1 | (((number)&7) << 1) | ((intent) << 4) | ((size) << 5) | ((before) << 10) | ((after) << 13) | ((file) << 16))
#define NUMBER(generation) (((generation) >> 1) & 7)
#define IS_INTENT(generation) (((generation) >> 4) & 1)
#define SIZE(generation) (((generation) >> 5) & 31)
#define BEFORE(generation) (((generation) >> 10) & 7)
#define AFTER(generation) (((generation) >> 13) & 7)
#define FILE(generation) (((generation) >> 16) & 1)
#define IS_NEWER(a, b) \
    ((a) != TORN && ((b) == TORN || (((NUMBER(a) - NUMBER(b)) & 7) >= 1 && ((NUMBER(a) - NUMBER(b)) & 7) <= 3)))

/* The newest of the copies of output i in `from` is left in `used`. */
#define FIND_NEWEST(from)                                            \
    used = TORN;                                                     \
    j = 0;                                                           \
    do                                                               \
    :: j < 4 ->                                                      \
       if                                                            \
       :: IS_NEWER(from[i * 4 + j], used) -> used = from[i * 4 + j]  \
       :: else                                                       \
       fi;                                                           \
       j++                                                           \
    :: else -> break                                                 \
    od

#ifdef FAULT_BLIND_UNDO
#define COPIES 1
#else
#define COPIES 2
#endif
#define COPY_AT(output, generation, which) ((output)*4 + (NUMBER(generation) & 1) * 2 + (which))

int copy[OUTPUTS * 4];
int disk_copy[OUTPUTS * 4];
byte unsynced_copies; /* a mask */

/* ---- the segment directory: names of segments, then of ledgers */

#define LEDGER_NAME(output) BIT(SEGMENTS + (output))
#define NAMES (SEGMENTS + OUTPUTS)

byte names = ALL_SEGMENTS;
byte disk_names = ALL_SEGMENTS;

/* ---- what is left to happen */

byte kills = KILLS;
byte cuts = CUTS;
byte failures = FAILURES;
byte shorts = SHORTS;
byte strangers = STRANGERS;
byte renames = RENAMES;
byte replacements = REPLACEMENTS;
byte flips = FLIPS;
byte refusals = REFUSALS;
byte misses = MISSES;
byte excused; /* records that were settled in a file that somebody took away */

/* ---- the memory of the collector; all of it is lost with the process */

int newest[OUTPUTS]; /* the generation that counts, 0 = no ledger */
byte known;          /* segments that were listed */
byte held;           /* outputs with an intent that is not settled */
byte waiting;        /* those of them that are tried again later */
byte unlinked;       /* segments whose removal is not on the disk yet */
byte o;              /* the output at work, */
byte f;              /* its file, */
byte noted;          /* and the size of that before the batch */
byte missing;        /* records still to be appended */
bool torn;           /* the first of them has its first half at the end of the file */
bool again;          /* what is appended is looked for afterwards */
int next;            /* the generation to be written */

/* For use within one step; 0 between steps, so that they make no states. */
byte i, j, k;
bool whole;
int used;

#define CLEAR_TEMPORARIES i = 0; j = 0; k = 0; whole = false; used = 0

#define RECORD_IF(condition, record) ((condition) -> BIT(record) : 0)
#if RECORDS == 3
#define RECORDS_IN(segments)                             \
    (RECORD_IF((segments)&BIT(SEGMENT_OF(0)), 0) |       \
     RECORD_IF((segments)&BIT(SEGMENT_OF(1)), 1) | RECORD_IF((segments)&BIT(SEGMENT_OF(2)), 2))
#define RECORDS_FOR(output)                              \
    (RECORD_IF(OUTPUT_OF(0) == (output), 0) |            \
     RECORD_IF(OUTPUT_OF(1) == (output), 1) | RECORD_IF(OUTPUT_OF(2) == (output), 2))
#else
#define RECORDS_IN(segments) (RECORD_IF((segments)&BIT(SEGMENT_OF(0)), 0) | RECORD_IF((segments)&BIT(SEGMENT_OF(1)), 1))
#define RECORDS_FOR(output) (RECORD_IF(OUTPUT_OF(0) == (output), 0) | RECORD_IF(OUTPUT_OF(1) == (output), 1))
#endif

/* The segments that are not known to be gone: a name that a listing does not show is asked for by itself. */
#ifdef FAULT_MISSED_IS_GONE
#define PRESENT known
#else
#define PRESENT (known | (names & ALL_SEGMENTS))
#endif

/* Of an output: the records that its ledger has as delivered, and those that can be delivered. */
#define DELIVERED(output) (IS_INTENT(newest[output]) -> BEFORE(newest[output]) : AFTER(newest[output]))
#define LEFT(output) (RECORDS_FOR(output) & RECORDS_IN(known) & READABLE & ~DELIVERED(output))

/* Another name of the same file is in the middle of its batch. */
#if defined(SHAPE_NAMES) && !defined(FAULT_OTHER_NAME_NOT_HELD)
#define MUST_WAIT(output) (held & BIT(1 - (output)))
#else
#define MUST_WAIT(output) 0
#endif
#define CAN_DELIVER(output) (LEFT(output) != 0 && !(held & BIT(output)) && !MUST_WAIT(output))

#if OUTPUTS == 2
#define ALL_DELIVERED (DELIVERED(0) | DELIVERED(1))
#else
#define ALL_DELIVERED DELIVERED(0)
#endif
#define CAN_REMOVE(segment) ((known & ~unlinked & BIT(segment)) && (RECORDS_IN(BIT(segment)) & WRITTEN & ~ALL_DELIVERED) == 0)

/* The ledger tells of no segment that is there. */
#define CAN_FORGET(output) (newest[output] != 0 && !(held & BIT(output)) && (DELIVERED(output) & RECORDS_IN(PRESENT)) == 0)

/* Such a ledger must be on the disk. The batch alone is not what counts: with nothing durable in it, and no sync, both slots
 * could be in the page cache only, and with them what the ledger tells of durable records. */
#ifdef FAULT_LEDGER_SYNCED_FOR_BATCH
#define TELLS_OF_DURABLE(generation) ((AFTER(generation) & ~BEFORE(newest[o]) & TAKEN_FOR_DURABLE) != 0)
#else
#define TELLS_OF_DURABLE(generation) (((BEFORE(generation) | AFTER(generation)) & TAKEN_FOR_DURABLE) != 0)
#endif

/* Before each step the collector may be killed, or the power fail. */
#define POINT                     \
    if                            \
    :: true                       \
    :: kills > 0 -> goto killed   \
    :: cuts > 0 -> goto power_cut \
    fi

/* A counterexample is told by what is printed (run --show). Cells: 0 zeros, 1 a stranger's, 2 and 3 the halves of text 0, 4 and 5
 * those of text 1. */
#define SAY_GENERATION(generation)                                                                                        \
    printf("  writes ledger %d: generation %d, intent %d, file %d, size %d, before %d, after %d\n", o, NUMBER(generation),          \
           IS_INTENT(generation), FILE(generation), SIZE(generation), BEFORE(generation), AFTER(generation))
#define SAY_FILE(file)                                                                                                  \
    printf("  file %d has %d cells: %d %d %d %d %d %d %d %d %d %d ...\n", file, size[file], CELL(file, 0), CELL(file, 1),  \
           CELL(file, 2), CELL(file, 3), CELL(file, 4), CELL(file, 5), CELL(file, 6), CELL(file, 7), CELL(file, 8), CELL(file, 9))

/* ---- the disk */

/* It gets any of the unsynced cells, each by itself; what lies before one of them and was not got is zeros. */
inline keep_cells(file) {
    i = 0;
    do
    :: i < size[file] ->
       if
       :: unsynced[file] & BIT(i) ->
          DISK_CELL(file, i) = CELL(file, i);
          disk_size[file] = (disk_size[file] <= i -> i + 1 : disk_size[file])
       :: true
       fi;
       i++
    :: else -> break
    od;
    if
    :: unsynced[file] != 0 && disk_size[file] < size[file] -> disk_size[file] = size[file] /* the size alone */
    :: true
    fi;
    unsynced[file] = 0
}

/* It gets any of the unsynced copies from `first` on, `count` of them. */
inline keep_copies(first, count) {
    i = first;
    do
    :: i < (first) + (count) ->
       if
       :: unsynced_copies & BIT(i) -> disk_copy[i] = copy[i]
       :: true
       fi;
       unsynced_copies = unsynced_copies & ~BIT(i);
       i++
    :: else -> break
    od
}

/* A sync that fails ends the process: of what was unsynced the disk got anything or nothing, and a later sync of the same pages
 * has nothing to do. */
inline sync_copies(output) {
    if
    :: d_step {
           i = (output)*4;
           do
           :: i < (output)*4 + 4 ->
              disk_copy[i] = (unsynced_copies & BIT(i) -> copy[i] : disk_copy[i]);
              unsynced_copies = unsynced_copies & ~BIT(i);
              i++
           :: else -> break
           od;
           CLEAR_TEMPORARIES
       }
    :: failures > 0 ->
       atomic { failures--; keep_copies((output)*4, 4); printf("the sync of ledger %d fails\n", output); goto ended }
    fi
}

inline sync_cells(file) {
    if
    :: d_step {
           i = 0;
           do
           :: i < CELLS ->
              if
              :: i >= size[file] -> DISK_CELL(file, i) = NOTHING
              :: else -> DISK_CELL(file, i) = (unsynced[file] & BIT(i) -> CELL(file, i) : DISK_CELL(file, i))
              fi;
              i++
           :: else -> break
           od;
           disk_size[file] = size[file];
           unsynced[file] = 0;
           CLEAR_TEMPORARIES
       }
    :: failures > 0 -> atomic { failures--; keep_cells(file); printf("the sync of file %d fails\n", file); goto ended }
    fi
}

/* What a directory holds stands in the file system's journal: a sync of it that fails leaves it to be synced. */
inline sync_directory() {
    if
    :: disk_names = names
    :: failures > 0 -> atomic { failures--; printf("the sync of a directory fails\n"); goto ended }
    fi
}

inline sync_name(file) {
    if
    :: named[file] = true
    :: failures > 0 -> atomic { failures--; printf("the sync of a directory fails\n"); goto ended }
    fi
}

/* The power is gone, and with it what was unsynced, or not, each write by itself. A ledger's copy may be torn. */
inline lose_power() {
    i = 0;
    do
    :: i < OUTPUTS * 4 ->
       if
       :: unsynced_copies & BIT(i) ->
          if
          :: true
          :: disk_copy[i] = copy[i]
          :: disk_copy[i] != copy[i] -> disk_copy[i] = TORN
          fi
       :: else
       fi;
       copy[i] = disk_copy[i];
       i++
    :: else -> break
    od;
    unsynced_copies = 0;
    i = 0;
    do
    :: i < NAMES ->
       if
       :: (names ^ disk_names) & BIT(i) ->
          if
          :: true
          :: disk_names = disk_names ^ BIT(i)
          fi
       :: else
       fi;
       i++
    :: else -> break
    od;
    names = disk_names;
    i = 0;
    do
    :: i < OUTPUTS * 4 ->
       if
       :: !(names & LEDGER_NAME(i / 4)) -> copy[i] = TORN; disk_copy[i] = TORN
       :: else
       fi;
       i++
    :: else -> break
    od;
    f = 0;
    do
    :: f < FILES ->
       if
       :: !named[f] -> empty_file(f)
       :: keep_cells(f); named[f] = true
       fi;
       unsynced[f] = 0;
       i = 0;
       do
       :: i < CELLS -> CELL(f, i) = DISK_CELL(f, i); i++
       :: else -> break
       od;
       size[f] = disk_size[f];
       count_foreign(f);
       foreign[f] = k;
       SAY_FILE(f);
       f++
    :: else -> break
    od;
#ifdef UNACKNOWLEDGED
    if
    :: written = disk_written
    :: disk_written = written
    fi
#endif
}

/* ---- other people */

inline count_foreign(file) {
    k = 0;
    j = 0;
    do
    :: j < size[file] -> k = (CELL(file, j) == FOREIGN -> k + 1 : k); j++
    :: else -> break
    od
}

inline empty_file(file) {
    i = 0;
    do
    :: i < CELLS -> CELL(file, i) = NOTHING; DISK_CELL(file, i) = NOTHING; i++
    :: else -> break
    od;
    size[file] = 0;
    disk_size[file] = 0;
    unsynced[file] = 0;
    foreign[file] = 0
}

/* Somebody takes an output away, with what was delivered to it, and puts a new file in its place, empty or not. */
inline replace() {
    i = 0;
    do
    :: i < OUTPUTS ->
       if
       :: (names & LEDGER_NAME(i)) && FILE_OF(i) == 0 ->
          FIND_NEWEST(copy);
          excused = excused | (IS_INTENT(used) -> BEFORE(used) : AFTER(used))
       :: else
       fi;
       excused = excused | (RECORDS_FOR(i) & ~RECORDS_IN(names));
       i++
    :: else -> break
    od;
    empty_file(0);
    if
    :: true
    :: CELL(0, 0) = FOREIGN; DISK_CELL(0, 0) = FOREIGN; size[0] = 1; disk_size[0] = 1; foreign[0] = 1
    fi
}

/* ---- ledgers (collector/output/ledger.c) */

/* Writes both copies of `next` in the slot whose turn it is. */
inline write_generation(must_sync) {
    d_step {
        SAY_GENERATION(next);
        copy[COPY_AT(o, next, 0)] = next;
        unsynced_copies = unsynced_copies | BIT(COPY_AT(o, next, 0))
    };
    POINT;
    if
    :: COPIES == 2 ->
       d_step {
           copy[COPY_AT(o, next, 1)] = next;
           unsynced_copies = unsynced_copies | BIT(COPY_AT(o, next, 1))
       };
       POINT
    :: else
    fi;
    if
    :: must_sync -> sync_copies(o); printf("  synced\n"); POINT
    :: else
    fi;
    d_step { newest[o] = next; next = 0 }
}

/* ---- recovery by comparison */

#define IN_BATCH(record) (AFTER(newest[o]) & ~BEFORE(newest[o]) & RECORDS_IN(PRESENT) & WRITTEN & BIT(record))

/* Looks for the batch of o's intent behind the noted size. What stands there is written again in place; which records are not
 * there is left in `missing`. */
inline compare() {
    noted = SIZE(newest[o]);
    missing = 0;
    torn = false;
    lie_in_place();
    if
    :: whole -> fill_in_place()
    :: else -> look_for_each()
    fi;
#if !defined(FAULT_RECOVERY_NOT_SYNCED) && !defined(FAULT_SYNC_AGAIN_ONLY) && !defined(FAULT_OUTPUT_SYNC_AGAIN_ONLY)
    unsynced[f] = unsynced[f] | used;
#endif
    printf("  looks for the batch in file %d from cell %d on: missing %d, torn %d\n", f, noted, missing, torn);
    CLEAR_TEMPORARIES
}

/* `whole` says whether all that stands behind the noted size is the batch, from its first byte on, or zeros where it would be:
 * those are bytes that a loss of power took. */
inline lie_in_place() {
    whole = true;
    k = noted;
    i = 0;
    do
    :: i < RECORDS ->
       if
       :: IN_BATCH(i) ->
          whole = whole && (k >= size[f] || CELL(f, k) == FIRST_HALF(i) || CELL(f, k) == NOTHING);
          k++;
          whole = whole && (k >= size[f] || CELL(f, k) == SECOND_HALF(i) || CELL(f, k) == NOTHING);
          k++
       :: else
       fi;
       i++
    :: else -> break
    od;
    whole = whole && size[f] <= k
#if defined(FAULT_PREFIX_ONLY) || defined(FAULT_NOT_FILLED)
    ;
    whole = false
#endif
}

inline fill_in_place() {
    k = noted;
    i = 0;
    do
    :: i < RECORDS ->
       if
       :: IN_BATCH(i) ->
          missing = (k + 1 < size[f] -> missing : missing | BIT(i));
          torn = torn || k + 1 == size[f];
          fill_cell(FIRST_HALF(i));
          fill_cell(SECOND_HALF(i))
       :: else
       fi;
       i++
    :: else -> break
    od
}

inline fill_cell(value) {
    if
    :: k < size[f] ->
       unsynced[f] = (CELL(f, k) == NOTHING -> unsynced[f] | BIT(k) : unsynced[f]);
       CELL(f, k) = value;
       printf("  writes cell %d again\n", k);
       used = used | BIT(k)
    :: else
    fi;
    k++
}

#ifdef FAULT_PREFIX_ONLY
#define FROM_HERE k
#define ALL_SO_FAR (missing == 0)
#else
#define FROM_HERE noted
#define ALL_SO_FAR true
#endif

/* Each record by itself, wherever it stands behind the noted size; as many of one text as stand there. */
inline look_for_each() {
    k = noted;
    i = 0;
    do
    :: i < RECORDS ->
       if
       :: IN_BATCH(i) ->
          j = FROM_HERE;
          do
          :: j + 1 < size[f] && (CELL(f, j) != FIRST_HALF(i) || CELL(f, j + 1) != SECOND_HALF(i) || (used & BIT(j))) -> j++
          :: else -> break
          od;
          if
          :: j + 1 < size[f] && ALL_SO_FAR -> used = used | BIT(j) | BIT(j + 1); k = j + 2
          :: else -> missing = missing | BIT(i)
          fi
       :: else
       fi;
       i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < RECORDS && !(missing & BIT(i)) -> i++
    :: else -> break
    od;
    if
    :: i < RECORDS && size[f] > noted && CELL(f, size[f] - 1) == FIRST_HALF(i) ->
       torn = true;
       used = used | BIT(size[f] - 1)
    :: else
    fi
}

/* ---- appending */

/* The rest of a torn record is an append of its own: where a stranger came between, it must be known before more is appended. */
#if defined(FAULT_CONTINUED_WITH_MORE) || defined(FAULT_CONTINUED_BLINDLY)
#define ONLY_THE_REST skip
#else
#define ONLY_THE_REST break
#endif

/* One append of what is `missing`, behind whatever a stranger has put at the end meanwhile. It may stop anywhere. How many cells
 * were appended is left in `k`, whether it was all in `whole`. */
inline append() {
    whole = true;
    k = 0;
    i = 0;
    do
    :: i < RECORDS ->
       if
       :: whole && (missing & BIT(i)) ->
          if
          :: torn -> append_cell(SECOND_HALF(i)); ONLY_THE_REST
          :: else ->
             append_cell(FIRST_HALF(i));
             if
             :: whole -> append_cell(SECOND_HALF(i))
             :: else
             fi
          fi;
          torn = false
       :: else
       fi;
       i++
    :: else -> break
    od;
    torn = false
}

inline append_cell(value) {
    if
    :: assert(size[f] < CELLS);
       CELL(f, size[f]) = value;
       printf("  appends to file %d: half %d of text %d, in cell %d\n", f, value & 1, value / 2 - 1, size[f]);
       unsynced[f] = unsynced[f] | BIT(size[f]);
       size[f]++;
       k++
    :: kills + cuts + shorts > 0 -> whole = false; printf("  the append stops short\n")
    fi
}

/* For faults only. */
inline truncate(to) {
    j = to;
    do
    :: j < size[f] -> CELL(f, j) = NOTHING; unsynced[f] = unsynced[f] & ~BIT(j); j++
    :: else -> break
    od;
    size[f] = to
}

/* ---- what must be true */

/* How often a text stands in a file is added to `k`. */
#define COUNT_TEXT(cells, sizes, file, text)                                                                      \
    j = 0;                                                                                                        \
    do                                                                                                            \
    :: j + 1 < sizes[file] ->                                                                                     \
       if                                                                                                         \
       :: cells[(file)*CELLS + j] == 2 + 2 * (text) && cells[(file)*CELLS + j + 1] == 3 + 2 * (text) -> k++       \
       :: else                                                                                                    \
       fi;                                                                                                        \
       j++                                                                                                        \
    :: else -> break                                                                                              \
    od

#define NOBODY_ELSE (strangers == STRANGERS && replacements == REPLACEMENTS && renames == RENAMES)

/* When nothing is left to do: each record stands in a file once, and what strangers wrote is there. */
inline check_outcome() {
    used = 0;
    o = 0;
    do
    :: o < FILES ->
       count_foreign(o);
       assert(k == foreign[o]);
       used = used + size[o];
       SAY_FILE(o);
       o++
    :: else -> break
    od;
#ifndef ONLY_ONCE
    /* Where nobody else writes, no part of a record stands beside the whole ones, and no zeros. */
    assert(used == 2 * RECORDS || !NOBODY_ELSE || (DURABLE != ALL_RECORDS && cuts < CUTS) ||
           (ACKNOWLEDGED != ALL_RECORDS && used == 2 * RECORDS - 2));
#endif
    o = 0;
    do
    :: o < TEXTS ->
       k = 0;
       i = 0;
       do
       :: i < FILES -> COUNT_TEXT(cell, size, i, o); i++
       :: else -> break
       od;
       used = 0;
       i = 0;
       do
       :: i < RECORDS ->
          used = (TEXT_OF(i) == o && !(excused & BIT(i)) && (ACKNOWLEDGED & BIT(i)) -> used + 1 : used);
          i++
       :: else -> break
       od;
       /* What was settled, but not on the disk, before the file was taken away, comes again. */
       assert(k == used || (cuts < CUTS && (!(DURABLE & BIT(o)) || (k == used + 1 && (excused != 0 || !(ACKNOWLEDGED & BIT(o)))))));
       o++
    :: else -> break
    od;
#if defined(SHAPE_PLAIN) && !defined(ONLY_ONCE)
    check_order();
#endif
    o = 0;
    CLEAR_TEMPORARIES
}

/* The records of one segment stand in their order, but where a stranger and a loss of power (or pages that the disk did not get)
 * come together: then a record that was lost is appended behind those that were not. */
inline check_order() {
    used = 0;
    j = 0;
    do
    :: j + 1 < size[0] ->
       if
       :: CELL(0, j) == FIRST_HALF(0) && CELL(0, j + 1) == SECOND_HALF(0) -> used = 1
       :: CELL(0, j) == FIRST_HALF(1) && CELL(0, j + 1) == SECOND_HALF(1) ->
          assert(used == 1 || (excused & BIT(0)) || (cuts < CUTS && (!NOBODY_ELSE || DURABLE == 0)))
       :: else
       fi;
       j++
    :: else -> break
    od
}

/* A segment's name is about to go: the disk has each of its records, and knows that it has. */
inline check_removal(segment) {
#ifndef ONLY_ONCE
    o = 0;
    do
    :: o < RECORDS ->
       if
       :: (RECORDS_IN(BIT(segment)) & DURABLE & ACKNOWLEDGED & BIT(o)) && excused == 0 ->
          i = OUTPUT_OF(o);
          FIND_NEWEST(disk_copy);
          assert((IS_INTENT(used) -> BEFORE(used) : AFTER(used)) & BIT(o));
          k = 0;
          i = 0;
          do
          :: i < FILES -> COUNT_TEXT(disk_cell, disk_size, i, TEXT_OF(o)); i++
          :: else -> break
          od;
          assert(k >= 1)
       :: else
       fi;
       o++
    :: else -> break
    od;
    o = 0;
    CLEAR_TEMPORARIES
#else
    skip
#endif
}

/* ---- the collector */

active proctype collector() {
start:
    printf("== a collector starts\n");
    /* R1: the segments that are listed, and the newest valid generation of each ledger */
    atomic {
#ifdef FAULT_DURABILITY_OF_COLLECTOR
        starts = (starts < 2 -> starts + 1 : 2);
#endif
        known = names & ALL_SEGMENTS;
        if
        :: true
        :: misses > 0 -> misses--; known = 0
        fi;
        i = 0;
        do
        :: i < OUTPUTS ->
           if
           :: names & LEDGER_NAME(i) ->
              FIND_NEWEST(copy);
              newest[i] = used;
#ifndef ONLY_ONCE
              assert(used != TORN || DURABLE != ALL_RECORDS);
#endif
              names = (used == TORN -> names & ~LEDGER_NAME(i) : names); /* set aside */
              held = (IS_INTENT(used) -> held | BIT(i) : held)
           :: else
           fi;
           i++
        :: else -> break
        od;
        CLEAR_TEMPORARIES
    };
    POINT;

    /* R1b: the names that were read may not be on the disk: those of segments that were removed, of ledgers that were made. */
#ifndef FAULT_NAMES_NOT_SYNCED
    if
    :: TAKEN_FOR_DURABLE != 0 -> sync_directory(); printf("  synced the segment directory\n"); POINT
    :: else
    fi;
#endif

    /* R2: what was read of ledgers is written again, in place, and synced. */
#if !defined(FAULT_RECOVERY_NOT_SYNCED) && !defined(FAULT_LEDGER_NOT_SYNCED)
    do
    :: o < OUTPUTS && newest[o] != 0 ->
#if defined(FAULT_SYNC_AGAIN_ONLY) || defined(FAULT_LEDGER_SYNC_AGAIN_ONLY)
       sync_copies(o);
#else
       next = newest[o];
       write_generation(TELLS_OF_DURABLE(next));
#endif
       o++
    :: o < OUTPUTS && newest[o] == 0 -> o++
    :: else -> break
    od;
    o = 0;
#endif

pass:
    printf("-- pass: segments %d, held %d\n", known, held);
    if
    :: held & ~waiting ->
       if
       :: o = (held & ~waiting & BIT(0) -> 0 : 1); goto recover
       :: refusals > 0 -> refusals--; waiting = held; printf("  cannot be recovered now\n"); goto pass /* R4 */
       fi
    :: else ->
       if
       :: waiting != 0 -> waiting = 0; goto pass
       :: (names & ALL_SEGMENTS & ~known) != 0 -> known = known | (names & ALL_SEGMENTS); goto pass
       :: CAN_DELIVER(0) -> o = 0; goto deliver
       :: CAN_REMOVE(0) -> goto remove
       :: CAN_FORGET(0) -> o = 0; goto forget
#if OUTPUTS == 2
       :: CAN_DELIVER(1) -> o = 1; goto deliver
       :: CAN_FORGET(1) -> o = 1; goto forget
#endif
#if SEGMENTS == 2
       :: CAN_REMOVE(1) -> goto remove
#endif
#ifdef UNACKNOWLEDGED
       :: written != disk_written -> disk_written = written; printf("  takes the segment over\n"); goto pass
#endif
       :: else -> goto quiet
       fi
    fi;

deliver:
    /* 1: the file, and its size; a batch of some of the records */
    atomic {
        f = FILE_OF(o);
        noted = size[f];
        i = 0;
        do
        :: i < RECORDS && (LEFT(o) & BIT(i)) ->
           missing = missing | BIT(i);
           i++;
           if
           :: true
           :: break
           fi
        :: i < RECORDS && !(LEFT(o) & BIT(i)) -> i++
        :: i == RECORDS -> break
        od;
        CLEAR_TEMPORARIES
    };
    POINT;
    if
    :: newest[o] == 0 ->
       /* a new ledger, synced before it has its name */
       d_step {
           printf("  makes ledger %d\n", o);
           copy[o * 4] = GENERATION(0, 0, 0, 0, 0, 0);
           copy[o * 4 + 2] = GENERATION(1, 0, 0, 0, 0, 0);
           copy[o * 4 + 1] = (COPIES == 2 -> copy[o * 4] : TORN);
           copy[o * 4 + 3] = (COPIES == 2 -> copy[o * 4 + 2] : TORN);
           i = o * 4;
           do
           :: i < o * 4 + 4 -> disk_copy[i] = copy[i]; i++
           :: else -> break
           od;
           newest[o] = GENERATION(1, 0, 0, 0, 0, 0);
           names = names | LEDGER_NAME(o);
           CLEAR_TEMPORARIES
       };
       POINT;
       if
       :: missing & TAKEN_FOR_DURABLE -> sync_directory(); printf("  synced the segment directory\n"); POINT
       :: else
       fi
    :: else
    fi;

    /* 2: intent */
    d_step {
        next = DELIVERED(o) & RECORDS_IN(PRESENT);
        next = GENERATION(NUMBER(newest[o]) + 1, 1, f, noted, next, next | missing)
    };
#ifdef FAULT_INTENT_NOT_SYNCED
    write_generation(false);
#else
    write_generation(TELLS_OF_DURABLE(next));
#endif
    held = held | BIT(o);

write_out:
    /* 3: one append */
    atomic {
        append();
        if
        :: whole -> missing = 0; CLEAR_TEMPORARIES
        :: !whole && shorts > 0 -> /* the intent stays as it is */
           shorts--;
           waiting = waiting | BIT(o);
#ifdef FAULT_TRUNCATED_TO_ASSUMED_SIZE
           truncate(noted + (k & ~1));
#endif
#ifdef FAULT_SETTLE_IGNORED
           if
           :: size[f] == noted -> /* nothing was delivered */
              newest[o] = GENERATION(NUMBER(newest[o]), 0, 0, 0, BEFORE(newest[o]), BEFORE(newest[o]));
              waiting = waiting & ~BIT(o);
              printf("  settled in memory only\n");
              held = held & ~BIT(o)
           :: else
           fi;
#endif
           o = 0;
           f = 0;
           noted = 0;
           missing = 0;
           again = false;
           CLEAR_TEMPORARIES;
           goto pass
        :: !whole && kills > 0 -> goto killed
        :: !whole && cuts > 0 -> goto power_cut
        fi
    };
    POINT;
    if
    :: again -> again = false; goto recover
    :: else -> goto settle
    fi;

recover:
    atomic {
#ifdef FAULT_ONLY_BY_NAME
        f = FILE_OF(o)
#else
        f = FILE(newest[o])
#endif
    };
#ifdef FAULT_BLIND_UNDO
    d_step {
        noted = SIZE(newest[o]);
        if
        :: size[f] >= noted && size[f] <= noted + 2 * RECORDS -> truncate(noted)
        :: else
        fi;
        next = GENERATION(NUMBER(newest[o]) + 1, 0, 0, 0, BEFORE(newest[o]), BEFORE(newest[o]));
        noted = 0;
        CLEAR_TEMPORARIES
    };
    POINT;
    sync_cells(f);
    POINT;
    write_generation(true);
    d_step { held = held & ~BIT(o); o = 0; f = 0 };
    goto pass;
#endif
    /* R3a: the file is shorter than it was noted to be: another intent notes its size as it is. */
#ifndef FAULT_SIZE_NOT_NOTED_AGAIN
    if
    :: size[f] < SIZE(newest[o]) ->
       d_step { next = GENERATION(NUMBER(newest[o]) + 1, 1, f, size[f], BEFORE(newest[o]), AFTER(newest[o])) };
       write_generation(TELLS_OF_DURABLE(next))
    :: else
    fi;
#endif
    /* R3b: what stands is found, filled, and written again. */
    atomic { compare() };
    POINT;
    /* R3c: what is missing is appended; then it is looked for again. */
    if
    :: missing != 0 ->
#ifndef FAULT_CONTINUED_BLINDLY
       again = true;
#endif
       goto write_out
#ifdef FAULT_RECOVERY_NOT_SYNCED
    :: else -> goto settled
#else
    :: else
#endif
    fi;

settle:
    /* 4: the output and its name */
#ifndef FAULT_OUTPUT_NOT_SYNCED
    if
    :: TELLS_OF_DURABLE(newest[o]) -> sync_cells(f); printf("  synced file %d\n", f); POINT
    :: else
    fi;
#endif
#ifndef FAULT_OUTPUT_NAME_NOT_SYNCED
    if
    :: TELLS_OF_DURABLE(newest[o]) -> sync_name(f); printf("  synced the name of file %d\n", f); POINT
    :: else
    fi;
#endif
#ifdef FAULT_RECOVERY_NOT_SYNCED
settled:
#endif
    /* 5: settled; what is gone is forgotten */
    atomic {
        next = AFTER(newest[o]) & RECORDS_IN(PRESENT) & WRITTEN;
        next = GENERATION(NUMBER(newest[o]) + 1, 0, 0, 0, next, next);
        noted = 0
    };
#ifdef FAULT_SETTLED_NOT_SYNCED
    write_generation(false);
#else
    write_generation(TELLS_OF_DURABLE(next));
#endif
    d_step { held = held & ~BIT(o); o = 0; f = 0 };
    goto pass;

remove:
    /* 6: the names of segments that are delivered; a segment is forgotten when the disk has lost its name, too. */
    do
    :: CAN_REMOVE(0) ->
       d_step { check_removal(0); names = names & ~BIT(0); unlinked = unlinked | BIT(0); printf("  removes segment 0\n") };
       POINT
#if SEGMENTS == 2
    :: CAN_REMOVE(1) ->
       d_step { check_removal(1); names = names & ~BIT(1); unlinked = unlinked | BIT(1); printf("  removes segment 1\n") };
       POINT
#endif
    :: unlinked != 0 -> break
    od;
#ifndef FAULT_REMOVAL_NOT_SYNCED
    if
    :: RECORDS_IN(unlinked) & TAKEN_FOR_DURABLE -> sync_directory(); printf("  synced the segment directory\n"); POINT
    :: else
    fi;
#endif
    atomic { known = known & ~unlinked; unlinked = 0 };
    goto pass;

forget:
    /* A ledger that tells of nothing is removed. */
    atomic { names = names & ~LEDGER_NAME(o); newest[o] = 0; printf("  removes ledger %d\n", o); o = 0 };
    POINT;
    goto pass;

quiet:
    atomic { check_outcome() };
#ifdef FAULT_NONE_BUT_THE_END
    assert(false);
#endif
    if
    :: goto finish
    :: kills > 0 -> goto killed
    :: cuts > 0 -> goto power_cut
    fi;

killed:
    atomic { kills--; printf("the collector is killed\n") };
    goto ended;

power_cut:
    atomic { cuts--; printf("the power fails\n"); CLEAR_TEMPORARIES; lose_power() };

ended:
    atomic {
        newest[0] = 0;
#if OUTPUTS == 2
        newest[1] = 0;
#endif
        known = 0;
        held = 0;
        waiting = 0;
        unlinked = 0;
        o = 0;
        f = 0;
        noted = 0;
        missing = 0;
        torn = false;
        again = false;
        next = 0;
        CLEAR_TEMPORARIES;
        if
        :: true
        :: replacements > 0 -> replacements--; replace(); printf("somebody replaces file 0\n")
        :: failures > 0 -> /* the kernel tries to write pages, and cannot, and there is nobody to tell */
           failures--;
           printf("pages cannot be written\n");
           keep_copies(0, OUTPUTS * 4);
           f = 0;
           do
           :: f < FILES -> keep_cells(f); f++
           :: else -> break
           od;
           f = 0
        fi;
        CLEAR_TEMPORARIES
    };
    goto start;

finish:
    skip
}

/* ---- beside it: a stranger, and decay */

#if STRANGERS + RENAMES + FLIPS > 0
active proctype stranger() {
    byte which;
end:
    do
    :: strangers > 0 ->
       atomic {
           strangers--;
           which = 0;
#if FILES == 2
           if
           :: which = 1
           :: true
           fi;
#endif
           assert(size[which] < CELLS);
           CELL(which, size[which]) = FOREIGN;
           unsynced[which] = unsynced[which] | BIT(size[which]);
           size[which]++;
           foreign[which]++;
           printf("a stranger appends to file %d\n", which);
           which = 0
       }
#ifdef SHAPE_RENAMED
    :: renames > 0 -> atomic { renames--; current = 1; printf("a stranger renames the output\n") }
#endif
    :: flips > 0 ->
       atomic {
           flips--;
           which = 0;
           do
           :: which < OUTPUTS * 4 - 1 -> which++
           :: break
           od;
           if
           :: unsynced_copies & BIT(which)
           :: else -> copy[which] = TORN; disk_copy[which] = TORN; printf("copy %d of the ledgers is damaged\n", which)
           fi;
           which = 0
       }
    od
}
#endif

/* The worker whose last record is not on the disk at first: it syncs, or dies before. */
#ifdef UNACKNOWLEDGED
active proctype worker() {
end:
    disk_written = written;
    printf("a worker has synced its last record\n")
}
#endif
