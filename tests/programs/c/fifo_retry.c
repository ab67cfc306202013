/* Opens a FIFO that nobody writes to, and opens it again whenever a signal interrupts that: a guest that doesn't want to be stopped.
 * `fifo_retry FIFO`. Each interrupted attempt is counted in a global, so that the loop isn't optimised away. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static volatile unsigned long interrupted;

int main(int argc, char **argv) {
    if (argc < 2) {
        return 2;
    }
    printf("opening\n");
    fflush(stdout);
    int fd;
    while ((fd = open(argv[1], O_RDONLY)) < 0 && errno == EINTR) {
        interrupted++;
    }
    if (fd < 0) {
        perror(argv[1]);
        return 3;
    }
    printf("opened\n");
    return 0;
}
