/* A fuzzer that stands where afl-fuzz does: it starts the fork server that is behind `--` twice, runs inputs in it, and
 * prints of each the counters that it raises, by their numbers. The second time the inputs come in another order. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONTROL 198
#define STATUS 199
#define MAP_SIZE 65536

static uint8_t *map;
static struct {
  uint32_t size;
  char data[100];
} *input;

static void *share(const char *name, size_t size) {
  char text[20];
  int id = shmget(IPC_PRIVATE, size, IPC_CREAT | 0600);
  void *memory = shmat(id, NULL, 0);
  shmctl(id, IPC_RMID, NULL);
  snprintf(text, sizeof text, "%d", id);
  setenv(name, text, 1);
  return memory;
}

static uint32_t hear(int fd) {
  uint32_t word;
  if (read(fd, &word, 4) != 4)
    exit(3);
  return word;
}

static void tell(int fd, uint32_t word) {
  if (write(fd, &word, 4) != 4)
    exit(3);
}

static void run(int session, const char *text, int control, int status) {
  memset(map, 0, MAP_SIZE);
  input->size = (uint32_t)strlen(text);
  memcpy(input->data, text, input->size);
  tell(control, 0);
  if ((int32_t)hear(status) <= 0)
    exit(4);
  printf("%d %s %u:", session, text, hear(status));
  for (int i = 0; i < MAP_SIZE; i++)
    if (map[i])
      printf(" %d*%d", i, map[i]);
  printf("\n");
  fflush(stdout);
}

static void serve(int session, char **command, char *const *inputs) {
  int control[2], status[2];
  if (pipe(control) || pipe(status))
    exit(5);
  pid_t pid = fork();
  if (pid == 0) {
    dup2(control[0], CONTROL);
    dup2(status[1], STATUS);
    for (int i = 0; i < 2; i++) {
      close(control[i]);
      close(status[i]);
    }
    execv(command[0], command);
    _exit(127);
  }
  close(control[0]);
  close(status[1]);
  uint32_t options = hear(status[0]);
  printf("%d map %u\n", session, ((options & 0xfffffe) >> 1) + 1);
  tell(control[1], 0x81000000);
  for (; *inputs; inputs++)
    run(session, *inputs, control[1], status[0]);
  close(control[1]);
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  close(status[0]);
}

int main(int argc, char **argv) {
  char *first[] = {"warm", "a", "ab", "abc", "x", "warm", "a", NULL};
  char *second[] = {"warm", "x", "abc", "a", "ab", NULL};
  int dashes = 1;
  while (dashes < argc && strcmp(argv[dashes], "--") != 0)
    dashes++;
  /* It is asked whether it is there. */
  if (dashes >= argc)
    return 0;
  map = share("__AFL_SHM_ID", MAP_SIZE);
  input = share("__AFL_SHM_FUZZ_ID", 4 + (1 << 20));
  serve(1, argv + dashes + 1, first);
  serve(2, argv + dashes + 1, second);
  return 0;
}
