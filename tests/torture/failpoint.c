// Dies at a chosen call: preloaded (LD_PRELOAD) into a program under test, it kills the process at the n-th call of one
// kind, before or after the call is made.
//
//   FAILPOINT=CALL:WHEN:N     CALL write, sync, bind or send; WHEN before or after; N from 1
//   FAILPOINT_PART=TEXT       of writes and syncs, only those of files whose path contains it
//
// Without FAILPOINT it does nothing.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

static char call_wanted[16];
static char when_wanted[16];
static long hit_wanted;
static const char* part;
static atomic_long hits;

__attribute__((constructor)) static void begin(void) {
  const char* point = getenv("FAILPOINT");
  part = getenv("FAILPOINT_PART");
  if (point == NULL || sscanf(point, "%15[a-z]:%15[a-z]:%ld", call_wanted, when_wanted, &hit_wanted) != 3) hit_wanted = 0;
}

static int is_chosen(int fd) {
  char link[64];
  char path[4096];
  if (part == NULL) return 1;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t bytes = readlink(link, path, sizeof path - 1);
  if (bytes <= 0) return 0;
  path[bytes] = 0;
  return strstr(path, part) != NULL;
}

// Whether this call is the one; dies at once if it is to die before it.
static int is_the_one(const char* call, int chosen) {
  if (hit_wanted == 0 || strcmp(call, call_wanted) != 0 || !chosen) return 0;
  if (atomic_fetch_add(&hits, 1) + 1 != hit_wanted) return 0;
  if (strcmp(when_wanted, "before") == 0) kill(getpid(), SIGKILL);
  return 1;
}

static void end_if(int it) {
  if (it) kill(getpid(), SIGKILL);
}

static void* real(const char* name) { return dlsym(RTLD_NEXT, name); }

ssize_t write(int fd, const void* bytes, size_t count) {
  static ssize_t (*next)(int, const void*, size_t);
  if (next == NULL) next = (ssize_t(*)(int, const void*, size_t))real("write");
  const int it = hit_wanted != 0 && is_the_one("write", is_chosen(fd));
  const ssize_t done = next(fd, bytes, count);
  end_if(it);
  return done;
}

ssize_t pwrite64(int fd, const void* bytes, size_t count, off64_t offset) {
  static ssize_t (*next)(int, const void*, size_t, off64_t);
  if (next == NULL) next = (ssize_t(*)(int, const void*, size_t, off64_t))real("pwrite64");
  const int it = hit_wanted != 0 && is_the_one("write", is_chosen(fd));
  const ssize_t done = next(fd, bytes, count, offset);
  end_if(it);
  return done;
}

ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) { return pwrite64(fd, bytes, count, offset); }

int fsync(int fd) {
  static int (*next)(int);
  if (next == NULL) next = (int (*)(int))real("fsync");
  const int it = hit_wanted != 0 && is_the_one("sync", is_chosen(fd));
  const int done = next(fd);
  end_if(it);
  return done;
}

int fdatasync(int fd) {
  static int (*next)(int);
  if (next == NULL) next = (int (*)(int))real("fdatasync");
  const int it = hit_wanted != 0 && is_the_one("sync", is_chosen(fd));
  const int done = next(fd);
  end_if(it);
  return done;
}

int bind(int fd, const struct sockaddr* address, socklen_t bytes) {
  static int (*next)(int, const struct sockaddr*, socklen_t);
  if (next == NULL) next = (int (*)(int, const struct sockaddr*, socklen_t))real("bind");
  const int it = is_the_one("bind", 1);
  const int done = next(fd, address, bytes);
  end_if(it);
  return done;
}

ssize_t send(int fd, const void* bytes, size_t count, int flags) {
  static ssize_t (*next)(int, const void*, size_t, int);
  if (next == NULL) next = (ssize_t(*)(int, const void*, size_t, int))real("send");
  const int it = is_the_one("send", 1);
  const ssize_t done = next(fd, bytes, count, flags);
  end_if(it);
  return done;
}
