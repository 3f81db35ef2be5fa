// A wall clock that is wrong: preloaded (LD_PRELOAD) into a program under test, it moves CLOCK_REALTIME by as many
// seconds as the first 8 bytes (a little-endian int64) of the file WALL_CLOCK say, whenever it is read.
// Without the variable it does nothing. The monotonic clocks stay as they are.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t* offset;

__attribute__((constructor)) static void map_offset(void) {
  const char* path = getenv("WALL_CLOCK");
  const int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) {
    return;
  }
  void* page = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (page != MAP_FAILED) {
    offset = page;
  }
}

static int is_wall(clockid_t clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

int clock_gettime(clockid_t clock, struct timespec* now) {
  const int status = (int)syscall(SYS_clock_gettime, clock, now);
  if (status == 0 && offset && is_wall(clock)) {
    now->tv_sec += *offset;
  }
  return status;
}

int gettimeofday(struct timeval* restrict now, void* restrict zone) {
  (void)zone;
  struct timespec read;
  const int status = clock_gettime(CLOCK_REALTIME, &read);
  if (status == 0) {
    now->tv_sec = read.tv_sec;
    now->tv_usec = read.tv_nsec / 1000;
  }
  return status;
}

time_t time(time_t* where) {
  struct timespec read;
  if (clock_gettime(CLOCK_REALTIME, &read) != 0) {
    return (time_t)-1;
  }
  if (where) {
    *where = read.tv_sec;
  }
  return read.tv_sec;
}
