/* afl_http [-p PORT] [-u PATH] [-t TYPE] COMMAND...
 *
 * Has AFL++ fuzz an HTTP service that COMMAND starts. Posts each input to it, and gives AFL++ the map of
 * edges that it wants, made of kcov's PCs. A reply of 500 or above, and a service that ends, is a crash.
 * AFL++ ends a service that hangs; it is started again.
 *
 * -p  The port of 127.0.0.1 that the service listens on. Without it the service prints its port.
 * -u  The path that inputs are posted to, `/` by default.
 * -t  Their Content-Type, such as `application/json`; none by default.
 *
 * Without AFL++ it posts its standard input, once, and prints the reply. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define KCOV_INIT_TRACE _IOR('c', 1, unsigned long)
#define KCOV_ENABLE _IO('c', 100)
#define KCOV_TRACE_PC 0
#define COVER_SIZE (64 << 10)

/* AFL++'s fork server protocol (its include/config.h and include/types.h): AFL++ writes to the first
 * descriptor before each run, and reads from the next what comes of it. */
#define FORKSRV_FD 198
#define FS_OPT_ENABLED 0x80000001
#define FS_OPT_MAPSIZE 0x40000000
#define FS_OPT_SET_MAPSIZE(size) (((size) - 1) << 1)
#define MAP_SIZE (1 << 16)

#define LONGEST_HEAD 1024
#define LONGEST_BODY 4096
#define LONGEST_REPLY (64 << 10)

/* For a service that does not print its port: s that it may take to listen, and us between two looks. */
#define PATIENCE 9
#define INTERVAL 20000

static char **command;
static int known_port;
static const char *path = "/";
static const char *type;
static pid_t service;
static struct sockaddr_in address = {.sin_family = AF_INET};
static int connection = -1;

static uint64_t *cover;
static uint8_t *map;

static char reply[LONGEST_REPLY];

static void fail(const char *what) {
  perror(what);
  exit(2);
}

static void open_kcov(void) {
  const char *path = getenv("KCOV");
  int fd = open(path ? path : "/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
  if (fd == -1 || ioctl(fd, KCOV_INIT_TRACE, COVER_SIZE))
    fail("kcov");
  cover = mmap(NULL, COVER_SIZE * sizeof *cover, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (cover == MAP_FAILED || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
    fail("kcov");
}

static int connect_to_service(void) {
  int one = 1;
  if (connection != -1)
    close(connection);
  connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return connect(connection, (struct sockaddr *)&address, sizeof address) == 0;
}

/* Waits until the service listens on the known port. */
static void await_service(void) {
  for (int i = 0; i < PATIENCE * (1000000 / INTERVAL); i++) {
    if (connect_to_service())
      return;
    if (waitpid(service, NULL, WNOHANG) == service) {
      errno = ESRCH;
      fail("the service, before it listened");
    }
    usleep(INTERVAL);
  }
  fail("connect");
}

static void start_service(void) {
  int output[2], port;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(known_port);
  /* Another's service would be taken for ours. */
  if (known_port && connect_to_service()) {
    errno = EADDRINUSE;
    fail("the service's port");
  }
  if (pipe2(output, O_CLOEXEC))
    fail("pipe");
  service = fork();
  if (service == 0) {
    /* However this ends, the service does not outlive it. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!known_port)
      dup2(output[1], 1);
    execvp(command[0], command);
    _exit(127);
  }
  close(output[1]);
  if (known_port) {
    close(output[0]);
    await_service();
    return;
  }
  FILE *lines = fdopen(output[0], "r");
  if (fscanf(lines, "%d", &port) != 1)
    fail("the service's port");
  address.sin_port = htons(port);
  if (!connect_to_service())
    fail("connect");
}

/* Of a service that ended, or is about to; returns its status. */
static int restart_service(void) {
  int status;
  waitpid(service, &status, 0);
  start_service();
  return status;
}

/* Returns the status of the reply, or 0 when the connection ended instead. */
static int post(const char *body, size_t length) {
  char request[LONGEST_HEAD + LONGEST_BODY];
  size_t size = snprintf(
      request, LONGEST_HEAD,
      "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n%s%s%s\r\n", path, length,
      type ? "Content-Type: " : "", type ? type : "", type ? "\r\n" : "");
  if (size >= LONGEST_HEAD) {
    errno = E2BIG;
    fail("the path and the type");
  }
  memcpy(request + size, body, length);
  if (send(connection, request, size + length, MSG_NOSIGNAL) == -1)
    return 0;
  size_t got = 0, wanted = sizeof reply - 1;
  while (got < wanted) {
    ssize_t n = recv(connection, reply + got, wanted - got, 0);
    if (n <= 0)
      return 0;
    reply[got += n] = 0;
    char *end = strstr(reply, "\r\n\r\n"), *field = strcasestr(reply, "\r\nContent-Length:");
    if (end && field)
      wanted = end + 4 - reply + strtoul(field + 17, NULL, 10);
  }
  return atoi(reply + strlen("HTTP/1.1 "));
}

/* An edge is a PC after another, as in code that AFL++ compiled. */
static void fill_map(void) {
  uint64_t n = __atomic_load_n(&cover[0], __ATOMIC_RELAXED), previous = 0;
  for (uint64_t i = 1; i <= n; i++) {
    uint64_t place = (cover[i] >> 3) * 0x9e3779b97f4a7c15 >> 48;
    uint8_t *hits = &map[(place ^ previous) % MAP_SIZE];
    *hits += *hits < 255;
    previous = place >> 1;
  }
}

/* Posts an input; returns the status, as of waitpid, of the process that AFL++ believes this to be. */
static int execute(const char *body, size_t length) {
  __atomic_store_n(&cover[0], 0, __ATOMIC_RELAXED);
  int code = post(body, length);
  /* A service may close a connection that was idle. */
  if (code == 0 && connect_to_service())
    code = post(body, length);
  fill_map();
  if (code != 0)
    return code < 500 ? 0 : SIGABRT;
  int status = restart_service();
  return WIFSIGNALED(status) ? status : SIGABRT;
}

static int tell(uint32_t word) {
  return write(FORKSRV_FD + 1, &word, 4) == 4;
}

static void serve_afl(void) {
  char body[LONGEST_BODY];
  uint32_t was_killed;
  pid_t told = 0;
  while (read(FORKSRV_FD, &was_killed, 4) == 4) {
    /* A service that AFL++ killed may have replied before that. */
    if (was_killed && service == told)
      restart_service();
    /* The process that AFL++ is to kill after too long a time is the service. */
    tell(told = service);
    ssize_t length = pread(0, body, sizeof body, 0);
    tell(execute(body, length < 0 ? 0 : length));
  }
}

static int post_once(void) {
  char body[LONGEST_BODY];
  size_t length = fread(body, 1, sizeof body, stdin);
  int code = post(body, length);
  if (code)
    fputs(reply, stdout);
  /* Its port is free when this ends. */
  kill(service, SIGKILL);
  int status;
  waitpid(service, &status, 0);
  if (code)
    return 0;
  fprintf(stderr, "the service closed the connection without a reply\n");
  return 2;
}

static void read_options(int argc, char **argv) {
  int option;
  /* Arguments after COMMAND are its own. */
  while ((option = getopt(argc, argv, "+p:u:t:")) != -1) {
    if (option == 'p' && (known_port = atoi(optarg)) > 0)
      continue;
    if (option == 'u')
      path = optarg;
    else if (option == 't')
      type = optarg;
    else
      optind = argc;
  }
  if (path[0] != '/') {
    fprintf(stderr, "-u takes a path that begins with /, not %s\n", path);
    exit(2);
  }
  if (optind < argc)
    return;
  fprintf(stderr, "usage: afl_http [-p PORT] [-u PATH] [-t TYPE] COMMAND...\n");
  exit(2);
}

int main(int argc, char **argv) {
  read_options(argc, argv);
  command = argv + optind;
  start_service();
  char *id = getenv("__AFL_SHM_ID");
  if (!id)
    return post_once();
  map = shmat(atoi(id), NULL, 0);
  if (map == (void *)-1)
    fail("the map");
  open_kcov();
  if (tell(FS_OPT_ENABLED | FS_OPT_MAPSIZE | FS_OPT_SET_MAPSIZE(MAP_SIZE)))
    serve_afl();
  return 0;
}
