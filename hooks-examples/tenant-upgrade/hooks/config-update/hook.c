/* Pre-pull: sets CACHE_TTL in the tenant's settings file before the new code is there, and hands it to later phases. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char NAME[] = "CACHE_TTL";
static const char VALUE[] = "300";

static int fail(const char *what, const char *path)
{
    fprintf(stderr, "%s %s: %s\n", what, path, strerror(errno));
    return 1;
}

/* Copies every line but the one that sets NAME; the new one goes to the end. */
static int rewrite(FILE *from, FILE *to)
{
    char line[4096];
    int at_start = 1, keep = 1;
    while (from && fgets(line, sizeof line, from)) {
        if (at_start)
            keep = strncmp(line, NAME, sizeof NAME - 1) != 0 || line[sizeof NAME - 1] != '=';
        if (keep && fputs(line, to) == EOF)
            return -1;
        at_start = line[strlen(line) - 1] == '\n';
        if (keep && feof(from) && !at_start && fputc('\n', to) == EOF)
            return -1;
    }
    return fprintf(to, "%s=%s\n", NAME, VALUE);
}

int main(void)
{
    const char *data = getenv("DATA_DIR"), *tag = getenv("DEPLOY_TAG"), *output = getenv("WASMHOOK_OUTPUT");
    char path[4096], fresh[4096];
    if (!data || !tag) {
        fprintf(stderr, "DATA_DIR and DEPLOY_TAG must be set\n");
        return 1;
    }
    printf("=== Release hook: %s ===\n", tag);
    if (snprintf(path, sizeof path, "%s/settings.env", data) >= (int)sizeof path - 4) {
        fprintf(stderr, "DATA_DIR is too long\n");
        return 1;
    }
    snprintf(fresh, sizeof fresh, "%s.new", path);

    FILE *from = fopen(path, "r");
    if (!from && errno != ENOENT)
        return fail("can't read", path);
    FILE *to = fopen(fresh, "w");
    if (!to)
        return fail("can't write", fresh);
    int written = rewrite(from, to);
    if (fclose(to) != 0 || written < 0)
        return fail("can't write", fresh);
    if (from)
        fclose(from);
    /* In one step: a reader sees the old file or the new one. */
    if (rename(fresh, path) != 0)
        return fail("can't replace", path);
    printf("Set %s=%s in settings.env\n", NAME, VALUE);

    if (output) {
        FILE *out = fopen(output, "a");
        if (!out || fprintf(out, "%s=%s\n", NAME, VALUE) < 0 || fclose(out) != 0)
            return fail("can't write", output);
    }
    printf("=== Release hook complete ===\n");
    return 0;
}
