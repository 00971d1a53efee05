// notify_listener ADDRESS: listens as systemd does for sd_notify(3), on a path or @NAME, says "listening",
// and prints each datagram with its newlines as spaces.
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path) return 2;
  strcpy(address.sun_path, argv[1]);
  socklen_t size = offsetof(struct sockaddr_un, sun_path) + strlen(argv[1]);
  if (argv[1][0] == '@') address.sun_path[0] = 0;
  else size++;
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0) {
    perror(argv[1]);
    return 1;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  puts("listening");
  char text[4096];
  ssize_t length;
  while ((length = recv(fd, text, sizeof text - 1, 0)) > 0) {
    text[length] = 0;
    for (char *c = text; *c; c++)
      if (*c == '\n') *c = ' ';
    puts(text);
  }
  return 0;
}
