/* Random calls on descriptors that kcov has no operation for. */
#include "differences.h"
#include "model.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>

void file_step(int task) {
  int process = process_of(task), fd = any_fd(process);
  if (fd < 0)
    return;
  struct descriptor descriptor = processes[process].fds[fd];
  if (descriptor.is_path)
    return;
}
