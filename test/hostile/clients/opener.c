/* opener KCOV MOST WORDS
 *
 * Opens and initialises instances, each of so many words, until one is refused or there are MOST; closes
 * them all; and does it a second time. Prints a line each time: `opened 40 then EMFILE`. */
#include "../../e2e/clients/kcov.h"

static const char *name_of(int number) {
  switch (number) {
    case 0: return "nothing";
    case EMFILE: return "EMFILE";
    case ENFILE: return "ENFILE";
    case ENOMEM: return "ENOMEM";
    default: return strerror(number);
  }
}

int main(int argc, char **argv) {
  if (argc != 4)
    die("usage: opener KCOV MOST WORDS");
  int most = atoi(argv[2]), *fds = calloc(most, sizeof *fds);
  for (int turn = 0; turn < 2; turn++) {
    int opened = 0, refused = 0;
    while (opened < most && !refused) {
      int fd = open(argv[1], O_RDWR | O_CLOEXEC);
      if (fd < 0 || ioctl(fd, KCOV_INIT_TRACE, strtoul(argv[3], NULL, 10)))
        refused = errno;
      if (fd >= 0 && refused)
        close(fd);
      if (!refused)
        fds[opened++] = fd;
    }
    printf("opened %d then %s\n", opened, name_of(refused));
    while (opened)
      close(fds[--opened]);
    usleep(500000);
  }
  return 0;
}
