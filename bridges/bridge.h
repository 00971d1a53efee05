/* The parts that the bridges share: kcov's area, the harness, and the line on which kcovfs is told what is
 * found; how, is in src/fuzzing/findings_server.ts.
 *
 * A bridge's environment:
 *   KCOVFS_HARNESS          the harness's command, with 0x1f between its words
 *   KCOVFS_HARNESS_TIMEOUT  seconds of processor time an input may take
 *   KCOVFS_HARNESS_MEMORY   MB that the harness may take
 *   KCOVFS_FINDINGS         the socket that findings are told on
 *   KCOVFS_EXECUTIONS       a file with one u64: inputs that were run
 */
#ifndef KCOVFS_BRIDGE_H
#define KCOVFS_BRIDGE_H
#include "edges.h"
#include "harness.h"
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/un.h>

#define KCOV_INIT_TRACE _IOR('c', 1, unsigned long)
#define KCOV_ENABLE _IO('c', 100)
#define KCOV_TRACE_PC 0
#define COVER_SIZE (64 << 10)

/* The statuses of a bridge's own: something was found and that is the end; it cannot go on. */
#define FOUND 1
#define BROKEN 3
#define SEPARATOR "\x1f"

static uint64_t *cover;
static uint64_t *executions;
static int findings = -1;
static char *command[256];
static struct harness harness = {.command = command};
/* Of the target that the area is of; NULL: of all. */
static const char *measured;

/* Tells what has come of an input. The answer says whether to go on; the end, that there is nobody. */
static int report(enum harness_answer kind, const uint8_t *data, size_t size) {
  uint32_t head[] = {kind, harness.size, (uint32_t)size};
  struct iovec parts[] = {
      {head, sizeof head}, {harness.text, harness.size}, {(void *)data, size}};
  char answer = 's';
  if (harness_send(findings, parts, 3) || harness_receive(findings, &answer, 1) != 1)
    return 0;
  return answer == 'c';
}

/* Some fuzzers have standard error closed: kcovfs is told, too. */
static void fail(const char *what) {
  char text[256];
  snprintf(text, sizeof text, "{\"message\":\"%s: %s\",\"stack\":[]}", what, strerror(errno));
  perror(what);
  harness_set_text(&harness, text);
  if (findings != -1)
    report(HARNESS_FAILED, NULL, 0);
  _exit(BROKEN);
}

static const char *variable(const char *name) {
  const char *value = getenv(name);
  if (!value) {
    fprintf(stderr, "%s is not set: kcovfs is to run this\n", name);
    _exit(BROKEN);
  }
  return value;
}

static void open_kcov(void) {
  const char *path = getenv("KCOV");
  char file[4096];
  snprintf(file, sizeof file, measured ? "%s.d/%s" : "%s", path ? path : "/sys/kernel/debug/kcov", measured);
  int fd = open(file, O_RDWR | O_CLOEXEC);
  if (fd == -1 || ioctl(fd, KCOV_INIT_TRACE, COVER_SIZE))
    fail("kcov");
  cover = mmap(NULL, COVER_SIZE * sizeof *cover, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (cover == MAP_FAILED)
    fail("kcov");
  if (ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC | KCOV_FOLD) && ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
    fail("kcov");
}

static void open_findings(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", variable("KCOVFS_FINDINGS"));
  int line = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (line == -1 || connect(line, (struct sockaddr *)&address, sizeof address))
    fail("findings");
  findings = line;
  int fd = open(variable("KCOVFS_EXECUTIONS"), O_RDWR | O_CLOEXEC);
  executions = mmap(NULL, sizeof *executions, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (executions == MAP_FAILED)
    fail("executions");
}

static void read_environment(void) {
  int words = 0;
  for (char *word = strtok(strdup(variable("KCOVFS_HARNESS")), SEPARATOR); word && words < 255;
       word = strtok(NULL, SEPARATOR))
    command[words++] = word;
  harness.timeout = atof(variable("KCOVFS_HARNESS_TIMEOUT"));
  harness.memory = atol(variable("KCOVFS_HARNESS_MEMORY"));
}

/* Returns 0, or -1 after it has told why it cannot. */
static int load_harness(void) {
  enum harness_answer answer = harness_start(&harness);
  if (answer == HARNESS_LOADED)
    return 0;
  if (answer != HARNESS_FAILED)
    harness_set_text(&harness,
                     answer == HARNESS_HANG     ? "{\"message\":\"to load it takes too long\",\"stack\":[]}"
                     : answer == HARNESS_MEMORY ? "{\"message\":\"to load it takes too much memory\",\"stack\":[]}"
                                                : "{\"message\":\"it ends the process when it is loaded\",\"stack\":[]}");
  report(HARNESS_FAILED, NULL, 0);
  return -1;
}

static enum harness_answer run_input(const uint8_t *data, uint32_t size) {
  __atomic_store_n(&cover[0], 0, __ATOMIC_RELAXED);
  enum harness_answer answer = harness_run(&harness, data, size);
  __atomic_fetch_add(executions, 1, __ATOMIC_RELAXED);
  return answer;
}
#endif
