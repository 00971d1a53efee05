// loop COMMAND...
//
// A coverage-guided fuzzer: sends messages to the standard input of COMMAND, keeps those that reach
// what none before did, and changes these further, until COMMAND replies that it failed.
package main

import (
	"fmt"
	"log"
	"math/rand"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"
)

const (
	kcovInitTrace = 0x80086301
	kcovEnable    = 0x6364
	kcovTracePC   = 0
	coverSize     = 64 << 10
	length        = 8
	failed        = 255
)

func ioctl(fd int, request, argument uintptr) {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, argument); errno != 0 {
		log.Fatal("kcov: ", errno)
	}
}

func openKcov() *[coverSize]uint64 {
	path := os.Getenv("KCOV")
	if path == "" {
		path = "/sys/kernel/debug/kcov"
	}
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		log.Fatal("kcov: ", err)
	}
	ioctl(fd, kcovInitTrace, coverSize)
	area, err := syscall.Mmap(fd, 0, coverSize*8,
		syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		log.Fatal("kcov: ", err)
	}
	// kcov traces a thread, so this goroutine must stay on its own.
	runtime.LockOSThread()
	ioctl(fd, kcovEnable, kcovTracePC)
	return (*[coverSize]uint64)(unsafe.Pointer(&area[0]))
}

func start(command []string) (kill func() error, request func(message []byte) byte) {
	target := exec.Command(command[0], command[1:]...)
	target.Stderr = os.Stderr
	to, _ := target.StdinPipe()
	from, _ := target.StdoutPipe()
	if err := target.Start(); err != nil {
		log.Fatal(err)
	}
	reply := make([]byte, 1)
	return target.Process.Kill, func(message []byte) byte {
		to.Write(message)
		if _, err := from.Read(reply); err != nil {
			log.Fatal("the service: ", err)
		}
		return reply[0]
	}
}

func main() {
	kill, request := start(os.Args[1:])
	corpus := [][]byte{make([]byte, length)}
	request(corpus[0])
	seen := map[uint64]bool{}
	cover := openKcov()
	for executions := 1; ; executions++ {
		message := append([]byte(nil), corpus[rand.Intn(len(corpus))]...)
		message[rand.Intn(length)] = byte(rand.Intn(256))
		atomic.StoreUint64(&cover[0], 0)
		if request(message) == failed {
			fmt.Printf("It fails on message %d: % x\n", executions, message)
			kill()
			return
		}
		known := len(seen)
		for _, pc := range cover[1 : 1+atomic.LoadUint64(&cover[0])] {
			seen[pc] = true
		}
		if len(seen) > known {
			corpus = append(corpus, message)
		}
	}
}
