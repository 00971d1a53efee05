/* fault_client PATH file|initialized|enabled client|server FAULTS
 *
 * Touches page 0 of a file again and again, each time when it is out of the page cache: either the
 * client itself drops it between two faults, or the server does and the client looks on. An instance of
 * kcov is initialized first, or initialized and enabled. Prints the median of the faults, and of the
 * whole rounds, in us. */
#include "../test/e2e/clients/kcov.h"
#include <sys/prctl.h>
#include <sys/resource.h>

#define PAGE 4096
/* ns between two looks at whether the server has dropped the page: the client must not be in its way. */
#define NAP 5000

static int compare_doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double median(double *values, int count) {
  qsort(values, count, sizeof *values, compare_doubles);
  return values[count / 2];
}

static struct kcov open_plain(const char *path) {
  struct kcov file = {.fd = open(path, O_RDWR | O_CLOEXEC)};
  if (file.fd < 0)
    die("open %s", path);
  file.area = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0);
  if (file.area == MAP_FAILED)
    die("mmap");
  return file;
}

static void drop(struct kcov *file) {
  if (madvise(file->area, PAGE, MADV_DONTNEED))
    die("madvise");
  errno = posix_fadvise(file->fd, 0, PAGE, POSIX_FADV_DONTNEED);
  if (errno)
    die("posix_fadvise");
}

static void wait_for_drop(struct kcov *file) {
  struct timespec nap = {.tv_nsec = NAP};
  unsigned char is_cached = 1;
  for (;;) {
    if (mincore(file->area, PAGE, &is_cached))
      die("mincore");
    if (!(is_cached & 1))
      return;
    nanosleep(&nap, NULL);
  }
}

static long faults_so_far(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_majflt;
}

int main(int argc, char **argv) {
  if (argc != 5)
    die("usage: fault_client PATH file|initialized|enabled client|server FAULTS");
  int is_own_drop = !strcmp(argv[3], "client"), count = atoi(argv[4]);
  struct kcov file = strcmp(argv[2], "file") ? kcov_open(argv[1], 64 << 10) : open_plain(argv[1]);
  if (!strcmp(argv[2], "enabled"))
    kcov_enable(&file);
  double *faults = calloc(count, sizeof *faults), *rounds = calloc(count, sizeof *rounds);
  alarm(60);
  prctl(PR_SET_TIMERSLACK, 1);
  long before = 0;
  for (int i = -50; i < count; i++) {
    if (i == 0)
      before = faults_so_far();
    double began = now_us();
    kcov_count(&file);
    double served = now_us();
    if (is_own_drop)
      drop(&file);
    else
      wait_for_drop(&file);
    if (i < 0)
      continue;
    faults[i] = served - began;
    rounds[i] = now_us() - began;
  }
  long missing = count - (faults_so_far() - before);
  if (missing > count / 100)
    die("%ld of %d touches did not fault", missing, count);
  printf("fault %.2f round %.2f\n", median(faults, count), median(rounds, count));
  return 0;
}
