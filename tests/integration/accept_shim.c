// Preloaded into imapmeter. The file that ACCEPT_SHIM_FILE names holds what a test and accept tell each other.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct page {
  _Atomic unsigned long out_of_descriptors;  // accepts that the system failed with EMFILE or ENFILE
  _Atomic unsigned long error;               // the errno of those that are failed here,
  _Atomic unsigned long left;                // and how many are still to be
};

static struct page* page;

__attribute__((constructor)) static void map_page(void) {
  const char* name = getenv("ACCEPT_SHIM_FILE");
  const int fd = name == NULL ? -1 : open(name, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* mapped = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped != MAP_FAILED) page = mapped;
  close(fd);
}

// Takes one of the failures that are left; false where there is none.
static int fails_here(void) {
  if (page == NULL) return 0;
  unsigned long left = atomic_load(&page->left);
  while (left != 0)
    if (atomic_compare_exchange_weak(&page->left, &left, left - 1)) return 1;
  return 0;
}

static int counted(int fd) {
  if (fd < 0 && (errno == EMFILE || errno == ENFILE) && page != NULL) atomic_fetch_add(&page->out_of_descriptors, 1);
  return fd;
}

int accept4(int fd, struct sockaddr* address, socklen_t* length, int flags) {
  int (*real)(int, struct sockaddr*, socklen_t*, int) =
      (int (*)(int, struct sockaddr*, socklen_t*, int))dlsym(RTLD_NEXT, "accept4");
  if (fails_here()) {
    errno = (int)page->error;
    return -1;
  }
  return counted(real(fd, address, length, flags));
}

int accept(int fd, struct sockaddr* address, socklen_t* length) {
  int (*real)(int, struct sockaddr*, socklen_t*) =
      (int (*)(int, struct sockaddr*, socklen_t*))dlsym(RTLD_NEXT, "accept");
  return counted(real(fd, address, length));
}
