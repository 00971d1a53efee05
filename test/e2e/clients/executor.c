/* executor KCOV SOCKET MODE [INPUT]
 *
 * Does with kcov what syzkaller's executor does (executor/executor.cc and executor_linux.h), in its order and
 * with its sizes; see docs/syzkaller.md. A call of a program is a request to the service: one of eight bytes, or
 * what is in the file INPUT. Each call's PCs must be those of the same call before.
 *
 * MODE: write (resets by a store), read-only (maps for reading, resets by KCOV_RESET_TRACE), comparisons, or
 * check: calls are mmap(2), and there has to be any PC, which the manager asks of a machine before all else.
 *
 * Prints `programs 40 calls 80 pcs 12 signal 240`. */
#include "kcov.h"
#include <pthread.h>
#include <sched.h>

#define kMaxFd 250
#define kMaxThreads 32
#define kCoverFd (kMaxFd - 2 - kMaxThreads)
#define kExtraCoverFd (kCoverFd - 1)
#define kCoverSize (512 << 10)
#define kExtraCoverSize (1024 << 10)
#define kCoverOptimizedCount 8
#define kCoverOptimizedPreMmap 3
#define SYZ_PAGE_SIZE 4096
#define KCOV_REMOTE_ENABLE _IOW('c', 102, struct kcov_remote_arg)
#define KCOV_SUBSYSTEM_USB (0x01ull << 56)
#define PROGRAMS 40
#define WARM_UP 10
#define INPUTS 8
#define MOST 65536

struct kcov_remote_arg {
  uint32_t trace_mode, area_size, num_handles, pad;
  uint64_t common_handle, handles[0];
};

struct cover {
  int fd;
  char *mmap_alloc_ptr, *data, *data_end;
  uint32_t data_size, mmap_alloc_size;
  uint64_t size;
};

/* The state that a program's process hands to the next ones. */
struct learned {
  unsigned count;
  uint64_t words[MOST];
};

static const char *path;
static int read_only, comparisons, is_check, service;
static struct cover covers[kCoverOptimizedCount], extra;
static struct learned *learned;
static uint64_t (*totals)[2];
static char input[MOST];
static unsigned input_size;

static void cover_open(struct cover *cov, int is_extra) {
  int fd = open(path, O_RDWR);
  if (fd < 0)
    die("open of %s failed", path);
  if (dup2(fd, cov->fd) < 0)
    die("failed to dup cover fd");
  close(fd);
  int size = is_extra ? kExtraCoverSize : kCoverSize;
  if (ioctl(cov->fd, KCOV_INIT_TRACE, size))
    die("cover init trace write failed");
  cov->data_size = size * 8;
}

/* The area between two guard pages. */
static void cover_mmap(struct cover *cov) {
  cov->mmap_alloc_size = cov->data_size + 2 * SYZ_PAGE_SIZE;
  cov->mmap_alloc_ptr = mmap(NULL, cov->mmap_alloc_size, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0);
  if (cov->mmap_alloc_ptr == MAP_FAILED)
    die("failed to preallocate kcov buffer");
  int prot = read_only ? PROT_READ : (PROT_READ | PROT_WRITE);
  cov->data = mmap(cov->mmap_alloc_ptr + SYZ_PAGE_SIZE, cov->data_size, prot, MAP_SHARED | MAP_FIXED, cov->fd, 0);
  if (cov->data == MAP_FAILED)
    die("cover mmap failed");
  cov->data_end = cov->data + cov->data_size;
}

static void cover_munmap(struct cover *cov) {
  if (munmap(cov->mmap_alloc_ptr, cov->mmap_alloc_size))
    die("cover_munmap failed");
}

static void cover_close(struct cover *cov, int is_enabled) {
  if (is_enabled && ioctl(cov->fd, KCOV_DISABLE, 0))
    die("KCOV_DISABLE failed");
  close(cov->fd);
}

static void cover_enable(struct cover *cov) {
  if (ioctl(cov->fd, KCOV_ENABLE, comparisons ? KCOV_TRACE_CMP : KCOV_TRACE_PC))
    die("cover enable write trace failed");
}

static void cover_reset(struct cover *cov) {
  if (!read_only)
    *(volatile uint64_t *)cov->data = 0;
  else if (ioctl(cov->fd, KCOV_RESET_TRACE, 0))
    die("KCOV_RESET_TRACE failed");
}

static void cover_collect(struct cover *cov) {
  cov->size = *(volatile uint64_t *)cov->data;
  if (cov->data + (cov->size + 2) * 8 > cov->data_end)
    die("overflow: %lu", cov->size);
}

/* Whether a mapping can be made twice, which the executor asks clock_gettime. */
static void setup_delay_kcov(void) {
  struct cover cov = {.fd = kCoverFd};
  struct timespec ts;
  cover_open(&cov, 0);
  cover_mmap(&cov);
  struct cover first = cov;
  cover_mmap(&cov);
  if (clock_gettime(CLOCK_MONOTONIC, &ts) || *(volatile uint64_t *)cov.data)
    die("the second mapping is none");
  cover_munmap(&cov), cover_munmap(&first);
  cover_close(&cov, 0);
}

static void setup_kcov_reset_ioctl(void) {
  struct cover cov = {.fd = kCoverFd};
  cover_open(&cov, 0);
  cover_mmap(&cov);
  if (ioctl(cov.fd, KCOV_ENABLE, KCOV_TRACE_PC))
    die("cover enable write trace failed");
  if (ioctl(cov.fd, KCOV_RESET_TRACE, 0))
    die("kernel does not support ioctl(KCOV_RESET_TRACE)");
  cover_munmap(&cov);
  cover_close(&cov, 1);
}

/* By the handles of the first of its processes: the target of number 1. */
static void enable_remote_cover(struct cover *cov) {
  struct { struct kcov_remote_arg arg; uint64_t handle; } remote = {
    .arg = {.trace_mode = KCOV_TRACE_PC, .area_size = kExtraCoverSize, .num_handles = 1, .common_handle = 1},
    .handle = KCOV_SUBSYSTEM_USB | 1,
  };
  if (ioctl(cov->fd, KCOV_REMOTE_ENABLE, &remote))
    die("remote cover enable write trace failed");
}

/* As write_signal, whose sums have to stay in the kernel's range: convertCallInfo drops all else. */
static unsigned write_signal(const uint64_t *pcs, uint64_t n) {
  uint64_t previous = 0;
  for (uint64_t i = 0; i < n; i++) {
    uint64_t signal = pcs[i] ^ (previous * 0x27d4eb2d & 0xfff);
    if (signal < 0xffffffff80000000ull || signal > 0xffffffffff000000ull)
      die("got bad pc: 0x%lx", pcs[i]);
    previous = pcs[i];
  }
  return n;
}

/* write_comparisons turns what is there into records of its own, in place. */
static uint64_t write_comparisons(struct cover *cov) {
  uint64_t *words = (uint64_t *)cov->data + 1;
  if ((char *)(words + 4 * cov->size) > cov->data_end)
    die("too many comparisons: %lu", cov->size);
  for (uint64_t i = 0; i < cov->size; i++) {
    if (words[4 * i] > 7)
      die("invalid kcov comp type: 0x%lx", words[4 * i]);
    words[i] = words[4 * i + 3] ^ words[4 * i + 2] << 16 ^ words[4 * i + 1] << 32;
  }
  return cov->size;
}

/* With dedup_cover the executor sorts the PCs where they are. */
static uint64_t sorted(struct cover *cov, uint64_t n, uint64_t *into) {
  uint64_t *words = read_only ? into : (uint64_t *)cov->data + 1;
  if (n > MOST)
    die("%lu words", n);
  if (read_only)
    memcpy(into, cov->data + 8, n * 8);
  uint64_t kept = sort_distinct(words, n);
  memmove(into, words, kept * 8);
  return kept;
}

static void check(struct cover *cov, int program, int which) {
  static uint64_t words[MOST];
  uint64_t n = comparisons ? write_comparisons(cov) : write_signal((uint64_t *)cov->data + 1, cov->size);
  totals[0][0] += n;
  uint64_t kept = sorted(cov, n, words);
  struct learned *before = &learned[which];
  if (program >= WARM_UP && !is_check && (kept != before->count || memcmp(words, before->words, kept * 8)))
    die("program %d: call %d has %lu words, and had %u", program, which, kept, before->count);
  if (kept == 0)
    die("got no coverage");
  before->count = kept;
  memcpy(before->words, words, kept * 8);
}

static void execute_call(struct cover *cov, int program, int which) {
  unsigned char byte = which;
  uint32_t status = which;
  cover_reset(cov);
  if (is_check)
    munmap(mmap(NULL, SYZ_PAGE_SIZE, PROT_READ, MAP_ANON | MAP_PRIVATE, -1, 0), SYZ_PAGE_SIZE);
  else if (input_size)
    service_request(service, input, input_size);
  else
    status = service_request(service, &byte, 1);
  cover_collect(cov);
  if (!input_size && status != (uint32_t)which)
    die("the service took another path than %d", which);
  check(cov, program, which);
}

struct thread { struct cover *cov; int program; };

static void *worker_thread(void *argument) {
  struct thread *thread = argument;
  cover_enable(thread->cov);
  for (int call = 0; call < 2; call++)
    execute_call(thread->cov, thread->program, input_size ? 0 : (2 * thread->program + call) % INPUTS);
  totals[0][1] += 2;
  return NULL;
}

/* A process of its own, in a thread of it; neither disables. What the thread does not own is reset by stores. */
static void execute_one(int program) {
  struct thread thread = {.cov = &covers[program % kCoverOptimizedPreMmap], .program = program};
  pthread_t worker;
  if (!read_only)
    cover_reset(&extra), cover_reset(thread.cov);
  if (pthread_create(&worker, NULL, worker_thread, &thread) || pthread_join(worker, NULL))
    die("pthread");
  if (!read_only)
    cover_collect(&extra);
  _exit(0);
}

static void prepare(void) {
  for (int i = 0; i < kCoverOptimizedCount; i++) {
    covers[i].fd = kCoverFd + i;
    cover_open(&covers[i], 0);
    if (i < kCoverOptimizedPreMmap)
      cover_mmap(&covers[i]);
  }
  extra.fd = kExtraCoverFd;
  cover_open(&extra, 1);
  cover_mmap(&extra);
  enable_remote_cover(&extra);
}

static void loop(void) {
  for (int program = 0; program < PROGRAMS; program++) {
    int status, pid = fork();
    if (pid == 0)
      execute_one(program);
    if (waitpid(pid, &status, 0) != pid || status)
      _exit(1);
  }
  _exit(0);
}

static void *shared(size_t size) {
  return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
}

int main(int argc, char **argv) {
  if (argc < 4)
    die("usage: executor KCOV SOCKET MODE [INPUT]");
  int status;
  path = argv[1];
  read_only = !strcmp(argv[3], "read-only"), comparisons = !strcmp(argv[3], "comparisons");
  is_check = !strcmp(argv[3], "check");
  service = is_check ? -1 : service_connect(argv[2]);
  if (argc > 4) {
    int fd = open(argv[4], O_RDONLY);
    ssize_t size = fd < 0 ? -1 : read(fd, input, sizeof input - 4);
    if (size <= 0)
      die("%s", argv[4]);
    input_size = size;
  }
  learned = shared(INPUTS * sizeof *learned), totals = shared(sizeof *totals);
  setup_delay_kcov();
  setup_kcov_reset_ioctl();
  prepare();
  /* As do_sandbox_none: what is executed is in a pid namespace of its own. */
  if (unshare(CLONE_NEWPID))
    die("unshare");
  int pid = fork();
  if (pid == 0)
    loop();
  if (waitpid(pid, &status, 0) != pid || status)
    return 1;
  printf("programs %d calls %lu pcs %u signal %lu\n", PROGRAMS, totals[0][1], learned[0].count, totals[0][0]);
  return 0;
}
