/* Counts what a process asks of the files below one folder, and breaks it at one point.

   Loaded before libc (LD_PRELOAD), so that Python, SQLite, Arrow and DuckDB all pass through it.
   crash_arm begins to count. At the call of the wanted number it ends the process by SIGKILL (a
   write after half of its bytes), or has the call fail: once, or from then on whatever needs room.
   Each counted call is written to a log as "KIND PATH"; with READS the files that are opened to be
   read are, too ("read PATH"). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT, KILL, FAIL_ONCE, FAIL_ON, READS };
static char root[PATH_MAX];
static size_t root_length;
static long calls, wanted;
static int armed, mode, error_number, log_file = -1;
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ({ static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name); real; })

void crash_arm(const char *folder, long number, int what, int error, int log) {
    strncpy(root, folder, sizeof root - 1);
    root_length = strlen(root);
    wanted = number; mode = what; error_number = error; log_file = log; calls = 0;
    armed = 1;
}

static int inside(const char *path) {
    return strncmp(path, root, root_length) == 0;
}

/* 1: go on; 0: fail with errno set; -1: end by a kill (the caller may write a half before). */
static int passes(const char *kind, const char *path, int needs_room) {
    char line[PATH_MAX + 32];
    pthread_mutex_lock(&one_at_a_time);
    long number = ++calls;
    if (log_file >= 0) {
        int length = snprintf(line, sizeof line, "%s %s\n", kind, path + root_length);
        REAL(write)(log_file, line, length);
    }
    pthread_mutex_unlock(&one_at_a_time);
    if (mode == KILL && number == wanted) return -1;
    if ((mode == FAIL_ONCE && number == wanted) ||
        (mode == FAIL_ON && number >= wanted && needs_room)) {
        errno = error_number;
        return 0;
    }
    return 1;
}

static int of_handle(int handle, const char *kind, int needs_room) {
    char link[64], path[PATH_MAX];
    if (!armed) return 1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 1;
    path[length] = 0;
    return inside(path) ? passes(kind, path, needs_room) : 1;
}

static int of_path(int at, const char *name, const char *kind, int needs_room) {
    char link[64], path[PATH_MAX * 2] = "";
    if (!armed) return 1;
    if (name[0] != '/') {
        ssize_t length;
        if (at == AT_FDCWD) length = readlink("/proc/self/cwd", path, PATH_MAX - 1);
        else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", at);
            length = readlink(link, path, PATH_MAX - 1);
        }
        if (length <= 0) return 1;
        path[length] = 0;
        strncat(path, "/", 2);
    }
    strncat(path, name, PATH_MAX - 1);
    return inside(path) ? passes(kind, path, needs_room) : 1;
}

static void die(void) { kill(getpid(), SIGKILL); pause(); }

#define WRITES(name, handle, size, half, whole) \
    int allowed = of_handle(handle, "write", 1); \
    if (allowed < 0) { if (size > 1) half; die(); } \
    return allowed ? whole : -1;

ssize_t write(int h, const void *b, size_t n) {
    WRITES(write, h, n, (void)!REAL(write)(h, b, n / 2), REAL(write)(h, b, n)) }
ssize_t pwrite(int h, const void *b, size_t n, off_t at) {
    WRITES(pwrite, h, n, (void)!REAL(pwrite)(h, b, n / 2, at), REAL(pwrite)(h, b, n, at)) }
ssize_t pwrite64(int h, const void *b, size_t n, off64_t at) {
    WRITES(pwrite64, h, n, (void)!REAL(pwrite64)(h, b, n / 2, at), REAL(pwrite64)(h, b, n, at)) }
ssize_t writev(int h, const struct iovec *v, int n) {
    WRITES(writev, h, n, (void)!REAL(writev)(h, v, n / 2), REAL(writev)(h, v, n)) }

#define PLAIN(check, whole) \
    int allowed = check; if (allowed < 0) die(); return allowed ? whole : -1;

int fsync(int h) { PLAIN(of_handle(h, "sync", 1), REAL(fsync)(h)) }
int fdatasync(int h) { PLAIN(of_handle(h, "sync", 1), REAL(fdatasync)(h)) }
int ftruncate(int h, off_t n) { PLAIN(of_handle(h, "truncate", 0), REAL(ftruncate)(h, n)) }
int ftruncate64(int h, off64_t n) { PLAIN(of_handle(h, "truncate", 0), REAL(ftruncate64)(h, n)) }
int rename(const char *a, const char *b) {
    PLAIN(of_path(AT_FDCWD, b, "rename", 1), REAL(rename)(a, b)) }
int renameat(int x, const char *a, int y, const char *b) {
    PLAIN(of_path(y, b, "rename", 1), REAL(renameat)(x, a, y, b)) }
int renameat2(int x, const char *a, int y, const char *b, unsigned f) {
    PLAIN(of_path(y, b, "rename", 1), REAL(renameat2)(x, a, y, b, f)) }
int unlink(const char *p) { PLAIN(of_path(AT_FDCWD, p, "unlink", 0), REAL(unlink)(p)) }
int unlinkat(int x, const char *p, int f) {
    PLAIN(of_path(x, p, "unlink", 0), REAL(unlinkat)(x, p, f)) }
int rmdir(const char *p) { PLAIN(of_path(AT_FDCWD, p, "unlink", 0), REAL(rmdir)(p)) }
int mkdir(const char *p, mode_t m) { PLAIN(of_path(AT_FDCWD, p, "create", 1), REAL(mkdir)(p, m)) }

#define OPENS(name, at, call) \
    mode_t m = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { va_list l; va_start(l, flags); m = va_arg(l, mode_t); \
        va_end(l); } \
    if (armed && mode == READS && !(flags & O_CREAT)) (void)of_path(at, p, "read", 0); \
    if (flags & O_CREAT) { PLAIN(of_path(at, p, "create", 1), call) } \
    return call;

int open(const char *p, int flags, ...) { OPENS(open, AT_FDCWD, REAL(open)(p, flags, m)) }
int open64(const char *p, int flags, ...) { OPENS(open64, AT_FDCWD, REAL(open64)(p, flags, m)) }
int openat(int x, const char *p, int flags, ...) { OPENS(openat, x, REAL(openat)(x, p, flags, m)) }
int openat64(int x, const char *p, int flags, ...) {
    OPENS(openat64, x, REAL(openat64)(x, p, flags, m)) }
FILE *fopen(const char *p, const char *how) {
    if (armed && mode == READS && *how == 'r') (void)of_path(AT_FDCWD, p, "read", 0);
    return REAL(fopen)(p, how);
}
FILE *fopen64(const char *p, const char *how) {
    if (armed && mode == READS && *how == 'r') (void)of_path(AT_FDCWD, p, "read", 0);
    return REAL(fopen64)(p, how);
}
