/* A web page as the service: the client is the page's own HTTP server. The page asks for `/next?REPLY`
 * and is answered, when the client has one, with a request for it to carry out; its next question
 * carries the reply. */
#ifndef PAGE_H
#define PAGE_H
#include "kcov.h"
#include <arpa/inet.h>
#include <poll.h>

#define PAGE_CONNECTIONS 64

static struct {
  const char *folder;
  int listener;
  /* Where the page waits for its next request, or -1; and what it has replied to the last one. */
  int asking;
  char reply[32];
  int count;
  struct { int fd; unsigned length; char text[8192]; } connections[PAGE_CONNECTIONS];
} page = {.asking = -1};

static void page_write(int fd, const char *bytes, size_t length) {
  while (length) {
    ssize_t size = send(fd, bytes, length, MSG_NOSIGNAL);
    if (size <= 0)
      return;
    bytes += size, length -= size;
  }
}

static void page_answer(int fd, const char *status, const char *type, const char *body, size_t length) {
  static char text[(1 << 20) + 256];
  int size = snprintf(text, 256, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                      status, type, length);
  memcpy(text + size, body, length);
  page_write(fd, text, size + length);
}

static void page_serve_file(int fd, const char *name) {
  static char body[1 << 20];
  char path[4096];
  snprintf(path, sizeof path, "%s%s", page.folder, name);
  int file = strstr(name, "..") ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return page_answer(fd, "404 Not Found", "text/plain", "", 0);
  ssize_t length = read(file, body, sizeof body);
  close(file);
  const char *type = strstr(name, ".html") ? "text/html" : "text/javascript";
  page_answer(fd, "200 OK", type, body, length < 0 ? 0 : length);
}

static void page_handle(int fd, const char *request) {
  char target[1024];
  if (sscanf(request, "GET %1000s", target) != 1)
    return page_answer(fd, "400 Bad Request", "text/plain", "", 0);
  char *query = strchr(target, '?');
  if (query)
    *query++ = 0;
  if (strcmp(target, "/next"))
    return page_serve_file(fd, target);
  page.asking = fd;
  snprintf(page.reply, sizeof page.reply, "%s", query ? query : "");
}

/* Whole requests are taken from what a connection has sent; false when it has ended. */
static int page_receive(int at) {
  char *text = page.connections[at].text, *end;
  unsigned *length = &page.connections[at].length;
  ssize_t size = recv(page.connections[at].fd, text + *length, 8191 - *length, MSG_DONTWAIT);
  if (size <= 0)
    return size < 0 && (errno == EAGAIN || errno == EINTR);
  *length += size;
  text[*length] = 0;
  while ((end = strstr(text, "\r\n\r\n"))) {
    *end = 0;
    page_handle(page.connections[at].fd, text);
    *length -= end + 4 - text;
    memmove(text, end + 4, *length + 1);
  }
  return *length < 8191;
}

/* Serves until the page asks for a request. */
static void page_wait(void) {
  while (page.asking < 0) {
    struct pollfd fds[PAGE_CONNECTIONS + 1];
    for (int i = 0; i < page.count; i++)
      fds[i] = (struct pollfd){.fd = page.connections[i].fd, .events = POLLIN};
    fds[page.count] = (struct pollfd){.fd = page.listener, .events = POLLIN};
    if (poll(fds, page.count + 1, 60000) <= 0)
      die("the page asks for nothing");
    int accepting = fds[page.count].revents;
    for (int i = page.count - 1; i >= 0; i--)
      if (fds[i].revents && !page_receive(i)) {
        if (page.asking == page.connections[i].fd)
          page.asking = -1;
        close(page.connections[i].fd);
        page.connections[i] = page.connections[--page.count];
      }
    if (accepting && page.count < PAGE_CONNECTIONS) {
      int fd = accept4(page.listener, NULL, NULL, SOCK_CLOEXEC);
      if (fd >= 0) {
        page.connections[page.count].fd = fd;
        page.connections[page.count++].length = 0;
      }
    }
  }
}

/* Serves the files of a folder on a port of its own, which it prints. */
MAYBE_UNUSED static void page_open(const char *folder) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  page.folder = folder;
  page.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (page.listener < 0 || bind(page.listener, (struct sockaddr *)&address, sizeof address) ||
      listen(page.listener, 64) || getsockname(page.listener, (struct sockaddr *)&address, &length))
    die("listen");
  printf("port %d\n", ntohs(address.sin_port));
  fflush(stdout);
}

/* Has the page carry out a request; returns its reply, which is empty where it has begun anew. */
MAYBE_UNUSED static const char *page_request(const char *request) {
  page_wait();
  int fd = page.asking;
  page.asking = -1;
  page_answer(fd, "200 OK", "text/plain", request, strlen(request));
  page_wait();
  return page.reply;
}
#endif
