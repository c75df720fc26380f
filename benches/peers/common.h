/*
 * What every peer program has: an end with a reason, the clock, commands and answers by lines, and the count of the heap.
 *
 * Each line on stdin is a command, answered by one line on stdout. The first line there is "ready" with the version, where
 * it is known, or "missing" with what. Whatever fails ends the program, with the reason on stderr: figures of something
 * that fails mean nothing. PROGRAM is the name for that; it is defined before this file is included.
 */

#ifndef PEERS_COMMON_H
#define PEERS_COMMON_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline void fail(const char *what)
{
    fprintf(stderr, PROGRAM ": %s\n", what);
    exit(1);
}

/* The processor time of this thread, in nanoseconds. */
static inline uint64_t now(void)
{
    struct timespec time;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) != 0)
        fail("clock_gettime");
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static FILE *answers;

/* From then on, what a library writes to stdout goes to stderr, and cannot pass for an answer. */
static inline void open_answers(void)
{
    int copy = dup(STDOUT_FILENO);

    if (copy < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0 || (answers = fdopen(copy, "w")) == NULL)
        fail("no way to answer");
}

static inline void answer(const char *word, const char *rest)
{
    fprintf(answers, "%s%s%s\n", word, *rest ? " " : "", rest);
    fflush(answers);
}

static inline void answer_number(unsigned long long number)
{
    fprintf(answers, "%llu\n", number);
    fflush(answers);
}

struct command {
    char what[32];
    size_t number, size; /* 1 where the line has none */
};

/* Whether there is one more. */
static inline int next_command(struct command *command)
{
    char line[128];

    if (fgets(line, sizeof line, stdin) == NULL)
        return 0;
    command->number = command->size = 1;
    if (sscanf(line, "%31s %zu %zu", command->what, &command->number, &command->size) < 1 || command->size == 0)
        fail("not a command");
    return 1;
}

static inline int is(const struct command *command, const char *what)
{
    return strcmp(command->what, what) == 0;
}

static inline const char *setting(const char *name)
{
    const char *value = getenv(name);

    if (value == NULL) {
        fprintf(stderr, "%s is not set\n", name);
        fail("a setting is missing");
    }
    return value;
}

static inline void *allocate(size_t size)
{
    void *memory = calloc(1, size);

    if (memory == NULL)
        fail("no memory");
    return memory;
}

#ifdef COUNT_HEAP
/*
 * The functions of the heap, for the whole process: they do what glibc's do, and count the bytes that were asked for and
 * not given back. Only a program that is compiled for counting has them, so that counting slows down nothing that is timed.
 * For one thread.
 */

#define PLACES ((size_t)1 << 18)

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *memory);

/* Open addressing; an entry stands at its own place or, without a gap, behind it. */
static struct {
    void *memory;
    size_t size;
} entries[PLACES];
static size_t held, used;

static size_t place_of(const void *memory)
{
    return (size_t)(((uint64_t)(uintptr_t)memory >> 4) * 0x9E3779B97F4A7C15u >> 40) % PLACES;
}

static void *counted(void *memory, size_t size)
{
    size_t at = place_of(memory);

    if (memory == NULL)
        return NULL;
    if (++used > PLACES / 2)
        abort();
    while (entries[at].memory != NULL)
        at = (at + 1) % PLACES;
    entries[at].memory = memory;
    entries[at].size = size;
    held += size;
    return memory;
}

static void uncounted(void *memory)
{
    size_t at = place_of(memory), next;

    while (entries[at].memory != memory) {
        if (entries[at].memory == NULL)
            return; /* NULL, or from before the program's own functions were bound */
        at = (at + 1) % PLACES;
    }
    if (memory == NULL)
        return;
    held -= entries[at].size;
    used--;
    /* Closes the gap, with entries that may stand there. */
    for (next = (at + 1) % PLACES; entries[next].memory != NULL; next = (next + 1) % PLACES) {
        size_t home = place_of(entries[next].memory);

        if ((next + PLACES - home) % PLACES >= (next + PLACES - at) % PLACES) {
            entries[at] = entries[next];
            at = next;
        }
    }
    entries[at].memory = NULL;
}

void *malloc(size_t size)
{
    return counted(__libc_malloc(size), size);
}

void *calloc(size_t count, size_t size)
{
    return counted(__libc_calloc(count, size), count * size);
}

void *realloc(void *memory, size_t size)
{
    void *moved = __libc_realloc(memory, size);

    if (moved == NULL && size != 0)
        return NULL; /* what was there stays */
    uncounted(memory);
    return counted(moved, size);
}

void *memalign(size_t alignment, size_t size)
{
    return counted(__libc_memalign(alignment, size), size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    *memory = memalign(alignment, size);
    return *memory == NULL ? 12 /* ENOMEM */ : 0;
}

void free(void *memory)
{
    uncounted(memory);
    __libc_free(memory);
}

static inline size_t heap_held(void)
{
    return held;
}

#else

static inline size_t heap_held(void)
{
    fail("not compiled for counting the heap");
    return 0;
}

#endif

#endif
