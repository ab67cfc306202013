/* Greets the environment it is deployed to, and leaves a file: `hello FILE`. */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    const char *environment = getenv("DEPLOY_ENV");
    printf("hello %s\n", environment ? environment : "nobody");
    if (argc < 2) {
        return 0;
    }
    FILE *file = fopen(argv[1], "w");
    if (!file) {
        perror(argv[1]);
        return 3;
    }
    fprintf(file, "hello from C\n");
    return fclose(file) == 0 ? 0 : 4;
}
