// `bash checksum.sh LIST`: every file that the list names has the checksum that stands there. Lines are what POSIX cksum prints:
// checksum, size, path below APP_DIR.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint32_t step(uint32_t crc, uint8_t byte) {
    crc ^= (uint32_t)byte << 24;
    for (int bit = 0; bit < 8; bit++) crc = crc & 0x80000000u ? (crc << 1) ^ 0x04c11db7u : crc << 1;
    return crc;
}

// 0 if the file can't be read.
static int cksum(const char *path, uint32_t *sum, unsigned long *size) {
    FILE *file = fopen(path, "rb");
    if (!file) return 0;
    uint32_t crc = 0;
    unsigned long length = 0;
    for (int byte; (byte = getc(file)) != EOF; length++) crc = step(crc, (uint8_t)byte);
    int good = !ferror(file);
    fclose(file);
    for (unsigned long rest = length; rest; rest >>= 8) crc = step(crc, (uint8_t)rest);
    *sum = ~crc;
    *size = length;
    return good;
}

int main(int argc, char **argv) {
    const char *app = getenv("APP_DIR");
    if (argc != 2 || !app) return fputs("usage: checksum LIST, with APP_DIR\n", stderr), 2;
    char path[4096], name[1024];
    snprintf(path, sizeof path, "%s/%s", app, argv[1]);
    FILE *list = fopen(path, "r");
    if (!list) return perror(path), 1;
    int failed = 0;
    unsigned long wanted, length;
    while (fscanf(list, "%lu %lu %1023s", &wanted, &length, name) == 3) {
        uint32_t sum;
        unsigned long size;
        snprintf(path, sizeof path, "%s/%s", app, name);
        int good = cksum(path, &sum, &size) && sum == wanted && size == length;
        printf("%s: %s\n", name, good ? "OK" : "FAILED");
        failed |= !good;
    }
    fclose(list);
    return failed;
}
