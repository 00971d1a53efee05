#include "differences.h"

const struct difference_row differences[DIFFERENCES] = {
    [UNIQUE] = {"KCOV_UNIQUE_ENABLE", "it does what it says", {EFAULT, -1},
                "the number of the ioctl makes the kernel read at its argument, which is no address"},
    [EXPANSION] = {"mmap of more, of less, or behind the beginning; mremap", "EINVAL, EFAULT", {0, -1},
                   "the kernel maps a file of FUSE without asking; what is behind the area's end is SIGBUS"},
    [SYNC] = {"fsync, msync", "EINVAL", {0, -1}, "nothing is to be written anywhere"},
    [SYNC_OF_MEMORY] = {"msync of what passthrough maps", "EINVAL", {0, -1}, "the kernel asks the file in memory"},
    [REMOVAL] = {"MADV_REMOVE of what passthrough maps", "EOPNOTSUPP", {0, -1}, "the kernel asks the file in memory"},
};

void expect_difference(struct outcome outcome, enum difference difference) {
  expect(outcome, differences[difference].reason, differences[difference].here);
}
