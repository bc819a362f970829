/* Preloaded into a gateway, a disk of a test's own for the database's files.
 *
 * Notes every write and every sync in the file DISK_NOTES, so that the test can make the files what a power cut would have left
 * of them; and has the fault that the file DISK_FAULT names, for as long as that is there: "full", "broken", "worn" (what is written back from
 * the log cannot be synced), or "slow" and a number of milliseconds. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { OPENED = 1, WRITTEN = 2, TRUNCATED = 3, SYNCED = 4 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t files[65536]; /* by descriptor: the file's number, 0 for those of no interest */
static uint8_t logs[65536]; /* by descriptor: whether it is the write-ahead log */
static uint32_t last = 0;
static int notes = -1;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* The fault of the moment: f, b, w, or s with its milliseconds; 0 for none. */
static char fault(int *milliseconds) {
    const char *path = getenv("DISK_FAULT");
    if (path == NULL) return 0;
    int descriptor = REAL(open)(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return 0;
    char text[32] = {0};
    ssize_t length = read(descriptor, text, sizeof text - 1);
    close(descriptor);
    if (length <= 0) return 0;
    if (milliseconds != NULL && text[0] == 's') *milliseconds = atoi(text + 5);
    return text[0];
}

static int of_interest(int descriptor) { return descriptor >= 0 && descriptor < 65536 && files[descriptor] != 0; }

static void note(uint8_t what, uint32_t file, uint64_t offset, const void *data, uint64_t length) {
    if (notes < 0) return;
    unsigned char head[21];
    head[0] = what;
    memcpy(head + 1, &file, 4);
    memcpy(head + 5, &offset, 8);
    memcpy(head + 13, &length, 8);
    __typeof__(&write) real = REAL(write);
    if (real(notes, head, sizeof head) != (ssize_t)sizeof head) abort();
    if (data != NULL && real(notes, data, length) != (ssize_t)length) abort();
}

static int opened(int descriptor, const char *path) {
    const char *name = getenv("DISK_FILE"), *log = getenv("DISK_NOTES");
    if (descriptor < 0 || descriptor >= 65536 || name == NULL) return descriptor;
    size_t length = strlen(name);
    files[descriptor] = 0;
    if (strncmp(path, name, length) != 0 || (path[length] != 0 && strcmp(path + length, "-wal") != 0)) return descriptor;
    pthread_mutex_lock(&lock);
    if (notes < 0 && log != NULL) notes = REAL(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    files[descriptor] = ++last;
    logs[descriptor] = path[length] != 0;
    note(OPENED, last, 0, path, strlen(path));
    pthread_mutex_unlock(&lock);
    return descriptor;
}

static void noted(uint8_t what, int descriptor, uint64_t offset, const void *data, uint64_t length) {
    if (!of_interest(descriptor)) return;
    pthread_mutex_lock(&lock);
    note(what, files[descriptor], offset, data, length);
    pthread_mutex_unlock(&lock);
}

#define OPEN(name)                                                     \
    int name(const char *path, int flags, ...) {                       \
        va_list arguments;                                             \
        va_start(arguments, flags);                                    \
        mode_t mode = va_arg(arguments, mode_t);                       \
        va_end(arguments);                                             \
        return opened(REAL(name)(path, flags, mode), path);            \
    }
OPEN(open)
OPEN(open64)

#define WRITE(name, offset_type)                                                            \
    ssize_t name(int descriptor, const void *data, size_t length, offset_type offset) {     \
        if (of_interest(descriptor) && fault(NULL) == 'f') return errno = ENOSPC, -1;        \
        ssize_t done = REAL(name)(descriptor, data, length, offset);                        \
        if (done > 0) noted(WRITTEN, descriptor, (uint64_t)offset, data, (uint64_t)done);   \
        return done;                                                                        \
    }
WRITE(pwrite, off_t)
WRITE(pwrite64, off64_t)

#define TRUNCATE(name, offset_type)                                             \
    int name(int descriptor, offset_type length) {                              \
        int done = REAL(name)(descriptor, length);                              \
        if (done == 0) noted(TRUNCATED, descriptor, (uint64_t)length, NULL, 0); \
        return done;                                                            \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(name)                                                 \
    int name(int descriptor) {                                     \
        int milliseconds = 0;                                      \
        char found = of_interest(descriptor) ? fault(&milliseconds) : 0; \
        if (found == 'b') return errno = EIO, -1;                  \
        if (found == 'w' && !logs[descriptor]) return errno = EIO, -1; \
        if (found == 's') usleep(milliseconds * 1000);             \
        int done = REAL(name)(descriptor);                         \
        if (done == 0) noted(SYNCED, descriptor, 0, NULL, 0);      \
        return done;                                               \
    }
SYNC(fsync)
SYNC(fdatasync)
