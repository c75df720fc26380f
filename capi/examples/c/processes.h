/* Another process, started with pipes to its standard input and from its standard output. For C and C++. */
#ifndef SAMPLE_PROCESSES_H
#define SAMPLE_PROCESSES_H

#include <stddef.h>

#ifdef _WIN32

#include <fcntl.h>
#include <io.h>
#include <process.h>

typedef intptr_t process;

/* For this process alone: what goes into ends[1] comes out of ends[0]. */
static inline int make_pipe(int ends[2]) { return _pipe(ends, 65536, _O_BINARY | _O_NOINHERIT) == 0; }

/* The C library of Windows starts a process with the descriptors 0 and 1 that this one has at that moment. */
static inline int start_process(const char *program, const char *argument, int *to, int *from, process *child)
{
    int down[2], up[2], input = _dup(0), output = _dup(1), started = 0;

    if (!make_pipe(down) || (from && !make_pipe(up)))
        return 0;
    if (_dup2(down[0], 0) == 0 && (!from || _dup2(up[1], 1) == 0)) {
        *child = _spawnl(_P_NOWAIT, program, "program", argument, (char *)NULL);
        started = *child != -1;
    }
    _dup2(input, 0);
    _dup2(output, 1);
    _close(input);
    _close(output);
    _close(down[0]);
    *to = down[1];
    if (from) {
        _close(up[1]);
        *from = up[0];
    }
    return started;
}

/* Whether the process ended well. */
static inline int ended_well(process child)
{
    int status;

    return _cwait(&status, child, 0) == child && status == 0;
}

static inline int read_some(int from, void *bytes, unsigned room) { return _read(from, bytes, room); }
static inline int write_some(int to, const void *bytes, unsigned length) { return _write(to, bytes, length); }
static inline void close_pipe(int end) { _close(end); }
/* To be called by the one that was started, before it reads. */
static inline void pipes_are_binary(void)
{
    _setmode(0, _O_BINARY);
    _setmode(1, _O_BINARY);
}

#else

#include <sys/wait.h>
#include <unistd.h>

typedef pid_t process;

static inline int make_pipe(int ends[2]) { return pipe(ends) == 0; }

static inline int start_process(const char *program, const char *argument, int *to, int *from, process *child)
{
    int down[2], up[2];

    if (!make_pipe(down) || (from && !make_pipe(up)))
        return 0;
    *child = fork();
    if (*child == 0) {
        dup2(down[0], 0);
        close(down[0]);
        close(down[1]);
        if (from) {
            dup2(up[1], 1);
            close(up[0]);
            close(up[1]);
        }
        execl(program, program, argument, (char *)NULL);
        _exit(127);
    }
    close(down[0]);
    *to = down[1];
    if (from) {
        close(up[1]);
        *from = up[0];
    }
    return *child > 0;
}

/* Whether the process ended well. */
static inline int ended_well(process child)
{
    int status;

    return waitpid(child, &status, 0) == child && status == 0;
}

static inline int read_some(int from, void *bytes, unsigned room) { return (int)read(from, bytes, room); }
static inline int write_some(int to, const void *bytes, unsigned length) { return (int)write(to, bytes, length); }
static inline void close_pipe(int end) { close(end); }
static inline void pipes_are_binary(void) {}

#endif

/* All of it, or 0. */
static inline int read_all(int from, void *bytes, unsigned length)
{
    unsigned done = 0;

    while (done < length) {
        int part = read_some(from, (char *)bytes + done, length - done);
        if (part <= 0)
            return 0;
        done += (unsigned)part;
    }
    return 1;
}

static inline int write_all(int to, const void *bytes, unsigned length)
{
    unsigned done = 0;

    while (done < length) {
        int part = write_some(to, (const char *)bytes + done, length - done);
        if (part <= 0)
            return 0;
        done += (unsigned)part;
    }
    return 1;
}

#endif
