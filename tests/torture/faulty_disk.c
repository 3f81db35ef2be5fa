// A disk that fails when it is told to: preloaded (LD_PRELOAD) into a program under test, it lets chosen writes or
// syncs of files whose path contains FAULTY_DISK_PART end with an error.
//
// FAULTY_DISK_CONTROL names a file of at least kControlBytes that the test has mapped or writes to; little-endian:
//
//   0  u32 calls     which ones: 1 write and pwrite, 2 fsync and fdatasync; 0 none
//   4  i32 error     errno that they end with
//   8  i64 before    so many of them go well first; counts down
//  16  i64 failing   then so many fail; counts down
//  24  i64 failed    have failed so far
//  32  u32 torn      1: of a write that fails the first half is written
//
// Without either variable, and for every other file, it does nothing.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

enum { kControlBytes = 40, kWrites = 1, kSyncs = 2 };

struct Control {
  uint32_t calls;
  int32_t error;
  int64_t before;
  int64_t failing;
  int64_t failed;
  uint32_t torn;
};
_Static_assert(sizeof(struct Control) == kControlBytes, "as the head of this file says");

static volatile struct Control* control;
static const char* part;
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
  const char* path = getenv("FAULTY_DISK_CONTROL");
  part = getenv("FAULTY_DISK_PART");
  if (path == NULL || part == NULL) return;
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* mapped = mmap(NULL, kControlBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped != MAP_FAILED) control = mapped;
  close(fd);
}

static int is_chosen(int fd) {
  char link[64];
  char path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t bytes = readlink(link, path, sizeof path - 1);
  if (bytes <= 0) return 0;
  path[bytes] = 0;
  return strstr(path, part) != NULL;
}

// The errno that this call is to end with; 0: none.
static int fault(int fd, uint32_t call) {
  if (control == NULL || (control->calls & call) == 0 || !is_chosen(fd)) return 0;
  int error = 0;
  pthread_mutex_lock(&one_at_a_time);
  if (control->before > 0) {
    --control->before;
  } else if (control->failing > 0) {
    --control->failing;
    ++control->failed;
    error = control->error;
  }
  pthread_mutex_unlock(&one_at_a_time);
  return error;
}

static void* real(const char* name) { return dlsym(RTLD_NEXT, name); }

ssize_t write(int fd, const void* bytes, size_t count) {
  static ssize_t (*next)(int, const void*, size_t);
  if (next == NULL) next = (ssize_t(*)(int, const void*, size_t))real("write");
  const int error = fault(fd, kWrites);
  if (error == 0) return next(fd, bytes, count);
  if (control->torn) (void)!next(fd, bytes, count / 2);
  errno = error;
  return -1;
}

ssize_t pwrite64(int fd, const void* bytes, size_t count, off64_t offset) {
  static ssize_t (*next)(int, const void*, size_t, off64_t);
  if (next == NULL) next = (ssize_t(*)(int, const void*, size_t, off64_t))real("pwrite64");
  const int error = fault(fd, kWrites);
  if (error == 0) return next(fd, bytes, count, offset);
  if (control->torn) (void)!next(fd, bytes, count / 2, offset);
  errno = error;
  return -1;
}

ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
  return pwrite64(fd, bytes, count, offset);
}

int fsync(int fd) {
  static int (*next)(int);
  if (next == NULL) next = (int (*)(int))real("fsync");
  const int error = fault(fd, kSyncs);
  if (error == 0) return next(fd);
  errno = error;
  return -1;
}

int fdatasync(int fd) {
  static int (*next)(int);
  if (next == NULL) next = (int (*)(int))real("fdatasync");
  const int error = fault(fd, kSyncs);
  if (error == 0) return next(fd);
  errno = error;
  return -1;
}
