/* Ends the process with SIGKILL at its CLAVIGER_KILL_AT-th call of fsync or fdatasync, counted over all threads,
   before that call reaches the disk. Loaded by LD_PRELOAD; built by the test killed.rs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_long calls;

static void count(void) {
    const char *at = getenv("CLAVIGER_KILL_AT");
    if (at != NULL && atomic_fetch_add(&calls, 1) + 1 == atol(at)) {
        kill(getpid(), SIGKILL);
        pause();
    }
}

int fsync(int file) {
    count();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(file);
}

int fdatasync(int file) {
    count();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(file);
}
