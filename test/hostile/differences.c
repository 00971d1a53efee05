#include "differences.h"

const struct difference_row differences[DIFFERENCES] = {
    [UNIQUE] = {"KCOV_UNIQUE_ENABLE", "it does what it says", {EFAULT, -1},
                "the number of the ioctl makes the kernel read at its argument, which is no address"},
    [EXPANSION] = {"mmap of more, of less, or behind the beginning; mremap", "EINVAL, EFAULT", {0, -1},
                   "the kernel maps a file of FUSE without asking; what is behind the area's end is SIGBUS"},
    [SYNC] = {"fsync, msync", "EINVAL", {0, -1}, "nothing is to be written anywhere"},
    [SYNC_OF_MEMORY] = {"msync of what passthrough maps", "EINVAL", {0, -1}, "the kernel asks the file in memory"},
    [REMOVAL] = {"MADV_REMOVE of what passthrough maps", "EOPNOTSUPP", {0, -1}, "the kernel asks the file in memory, which is the client's own area"},
    [READING] = {"read, pread", "EINVAL, ESPIPE", {0, -1}, "what is read is the area, as the mapping has it"},
    [SPLICING] = {"splice, sendfile, copy_file_range", "EINVAL", {0, EINVAL, -1},
                  "the kernel reads through its page cache, and nothing while the size that it has seen is 0"},
    [SEEKING] = {"lseek", "ESPIPE", {0, -1}, "where one reads, one may seek"},
    [WRITING] = {"pwrite, splice with an offset", "ESPIPE", {EINVAL, -1}, "where one may seek, pwrite is refused as write is"},
    [TRUNCATING] = {"ftruncate", "success, without effect", {EINVAL, -1}, "an area's size does not change"},
    [CHANGING] = {"fchmod, fchown", "success", {EPERM, -1}, "who may use the device is the server's option"},
    [TOUCHING] = {"utimensat", "success", {0, -1}, "it has no effect"},
    [FLAGS] = {"FS_IOC_GETFLAGS", "ENOTTY", {EBUSY, -1}, "the kernel opens the file anew to ask, and an inode is an area"},
    [ATTRIBUTES] = {"listxattr", "none", {EOPNOTSUPP, -1}, "the kernel says so of files of FUSE without attributes"},
    [CREATING] = {"what makes or removes names", "EPERM, EACCES", {EPERM, -1}, "the tree is as it is"},
    [GIVING] = {"setxattr, removexattr", "EOPNOTSUPP", {EPERM, -1}, "attributes are refused as names are"},
    [REOPENING] = {"open of /proc/self/fd/N", "another instance", {EBUSY, -1}, "an inode is an area"},
};

void expect_difference(struct outcome outcome, enum difference difference) {
  expect(outcome, differences[difference].reason, differences[difference].here);
}
