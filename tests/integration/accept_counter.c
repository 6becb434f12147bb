// Preloaded into imapmeter by survives_fd_exhaustion.py: counts the accepts that fail for want of a descriptor, in the
// 8 octets of the file that ACCEPT_COUNTER_FILE names.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static _Atomic unsigned long* failures;

__attribute__((constructor)) static void map_counter(void) {
  const char* name = getenv("ACCEPT_COUNTER_FILE");
  const int fd = name == NULL ? -1 : open(name, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* page = mmap(NULL, sizeof *failures, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page != MAP_FAILED) failures = page;
  close(fd);
}

static int counted(int fd) {
  if (fd < 0 && (errno == EMFILE || errno == ENFILE) && failures != NULL) atomic_fetch_add(failures, 1);
  return fd;
}

int accept4(int fd, struct sockaddr* address, socklen_t* length, int flags) {
  int (*real)(int, struct sockaddr*, socklen_t*, int) =
      (int (*)(int, struct sockaddr*, socklen_t*, int))dlsym(RTLD_NEXT, "accept4");
  return counted(real(fd, address, length, flags));
}

int accept(int fd, struct sockaddr* address, socklen_t* length) {
  int (*real)(int, struct sockaddr*, socklen_t*) =
      (int (*)(int, struct sockaddr*, socklen_t*))dlsym(RTLD_NEXT, "accept");
  return counted(real(fd, address, length));
}
