/*
 * Writes down what a process does to the files of one folder, in the order in which the system did it.
 *
 * Preloaded into the process (LD_PRELOAD), it stands in for the C library's file functions, asks the kernel itself,
 * and appends what succeeded to the record. POWER_LOSS_FOLDER names the folder, without links or a slash at its end,
 * and POWER_LOSS_RECORD the record. The layout of an entry is read back by record.rs.
 *
 * Memory-mapped writes are not seen. SQLite maps only its -shm file, which it does not trust after a restart.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#if __SIZEOF_POINTER__ != 8
#error "the system calls below take 64-bit offsets in one register"
#endif

enum { CREATE = 'c', WRITE = 'w', TRUNCATE = 't', SYNC = 's', SYNC_FOLDER = 'd', UNLINK = 'u', RENAME = 'r' };

struct entry {
    uint32_t kind, name_length;
    uint64_t inode, offset, data_length;
};

/* What is behind each descriptor: 0 for nothing of ours, else the inode, or FOLDER. */
#define DESCRIPTORS 4096
#define FOLDER UINT64_MAX
static uint64_t inodes[DESCRIPTORS];
static const char *folder;
static int record = -1;

/* Held over an operation and its entry, so that the record has the true order. */
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("POWER_LOSS_RECORD");
    folder = getenv("POWER_LOSS_FOLDER");
    if (path && folder)
        record = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* At the end no other thread gets in between an operation and its entry: the lock is taken for good. */
__attribute__((destructor)) static void end(void) { pthread_mutex_lock(&order); }

static void note(int kind, uint64_t inode, uint64_t offset, const char *name, const void *data, size_t length) {
    struct entry entry = {kind, name ? strlen(name) : 0, inode, offset, length};
    struct iovec parts[] = {{&entry, sizeof entry}, {(void *)name, entry.name_length}, {(void *)data, length}};
    ssize_t whole = sizeof entry + entry.name_length + length;
    /* A record with a hole would prove nothing. */
    if (syscall(SYS_writev, record, parts, 3) != whole) abort();
}

/* The name of a path inside the folder, "" for the folder itself, NULL for what is elsewhere. */
static const char *name_in_folder(const char *path) {
    size_t length = folder ? strlen(folder) : 0;
    if (record < 0 || !path || strncmp(path, folder, length)) return NULL;
    if (!path[length]) return "";
    return path[length] == '/' && !strchr(path + length + 1, '/') ? path + length + 1 : NULL;
}

static uint64_t inode_of(int fd) { return fd >= 0 && fd < DESCRIPTORS ? inodes[fd] : 0; }

static int open_noted(const char *path, int flags, int mode) {
    const char *name = name_in_folder(path);
    if (!name) return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    pthread_mutex_lock(&order);
    int existed = !syscall(SYS_faccessat, AT_FDCWD, path, F_OK);
    int fd = syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    struct stat file;
    if (fd >= DESCRIPTORS || (fd >= 0 && fstat(fd, &file))) abort();
    if (fd >= 0) {
        inodes[fd] = *name ? file.st_ino : FOLDER;
        if (!existed) note(CREATE, file.st_ino, 0, name, NULL, 0);
        else if (flags & O_TRUNC) note(TRUNCATE, file.st_ino, 0, NULL, NULL, 0);
    }
    pthread_mutex_unlock(&order);
    return fd;
}

#define OPEN(function)                                       \
    int function(const char *path, int flags, ...) {         \
        va_list rest;                                        \
        va_start(rest, flags);                               \
        int mode = flags & O_CREAT ? va_arg(rest, int) : 0;  \
        va_end(rest);                                        \
        return open_noted(path, flags, mode);                \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    if (inode_of(fd)) {
        pthread_mutex_lock(&order);
        inodes[fd] = 0;
        pthread_mutex_unlock(&order);
    }
    return syscall(SYS_close, fd);
}

ssize_t write(int fd, const void *data, size_t length) {
    if (!inode_of(fd)) return syscall(SYS_write, fd, data, length);
    pthread_mutex_lock(&order);
    off_t offset = syscall(SYS_lseek, fd, 0, SEEK_CUR);
    ssize_t written = syscall(SYS_write, fd, data, length);
    if (written > 0) note(WRITE, inodes[fd], offset, NULL, data, written);
    pthread_mutex_unlock(&order);
    return written;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) {
    if (!inode_of(fd)) return syscall(SYS_pwrite64, fd, data, length, offset);
    pthread_mutex_lock(&order);
    ssize_t written = syscall(SYS_pwrite64, fd, data, length, offset);
    if (written > 0) note(WRITE, inodes[fd], offset, NULL, data, written);
    pthread_mutex_unlock(&order);
    return written;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

int ftruncate64(int fd, off_t length) {
    if (!inode_of(fd)) return syscall(SYS_ftruncate, fd, length);
    pthread_mutex_lock(&order);
    int result = syscall(SYS_ftruncate, fd, length);
    if (!result) note(TRUNCATE, inodes[fd], length, NULL, NULL, 0);
    pthread_mutex_unlock(&order);
    return result;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int sync_noted(long call, int fd) {
    if (!inode_of(fd)) return syscall(call, fd);
    pthread_mutex_lock(&order);
    int result = syscall(call, fd);
    if (!result) note(inodes[fd] == FOLDER ? SYNC_FOLDER : SYNC, inodes[fd], 0, NULL, NULL, 0);
    pthread_mutex_unlock(&order);
    return result;
}

int fsync(int fd) { return sync_noted(SYS_fsync, fd); }

int fdatasync(int fd) { return sync_noted(SYS_fdatasync, fd); }

int unlink(const char *path) {
    const char *name = name_in_folder(path);
    pthread_mutex_lock(&order);
    int result = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (!result && name) note(UNLINK, 0, 0, name, NULL, 0);
    pthread_mutex_unlock(&order);
    return result;
}

/* Inside the folder only: a file that comes or goes would have a past that the record does not know. */
int rename(const char *from, const char *to) {
    const char *old = name_in_folder(from), *new = name_in_folder(to);
    if (!old != !new) abort();
    pthread_mutex_lock(&order);
    int result = syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (!result && old) note(RENAME, 0, 0, old, new, strlen(new));
    pthread_mutex_unlock(&order);
    return result;
}
