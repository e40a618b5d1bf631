/* config_literals.c -- a scanner for libconfig files that knows comments, strings, names and
 * numbers, and nothing of the grammar: libconfig has accepted the file before. Runs in the master
 * before it forks. */
#include "master/config/config_literals.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/complaint.h"

#define WORD_BYTES_MAX 128

struct scanner {
    FILE *file;
    int byte; /* the next one, or EOF */
    unsigned line;
};

static void
advance(struct scanner *scanner)
{
    if (scanner->byte == '\n')
        scanner->line++;
    scanner->byte = getc(scanner->file);
}

static void
skip_line(struct scanner *scanner)
{
    while (scanner->byte != EOF && scanner->byte != '\n')
        advance(scanner);
}

static void
skip_string(struct scanner *scanner)
{
    advance(scanner);
    while (scanner->byte != EOF && scanner->byte != '"') {
        if (scanner->byte == '\\')
            advance(scanner);
        advance(scanner);
    }
    advance(scanner);
}

/* After a slash: one of the two comments of C and C++. */
static void
skip_comment(struct scanner *scanner)
{
    advance(scanner);
    if (scanner->byte == '/') {
        skip_line(scanner);
    } else if (scanner->byte == '*') {
        int before = 0;
        advance(scanner);
        while (scanner->byte != EOF && !(before == '*' && scanner->byte == '/')) {
            before = scanner->byte;
            advance(scanner);
        }
        advance(scanner);
    }
}

/* Everything a name or a number may hold. */
static bool
is_word_byte(int byte)
{
    return isalnum(byte) || byte == '_' || byte == '-' || byte == '+' || byte == '*' || byte == '.';
}

static void
take_word(struct scanner *scanner, char word[WORD_BYTES_MAX])
{
    size_t used = 0;
    while (is_word_byte(scanner->byte)) {
        if (used < WORD_BYTES_MAX - 1)
            word[used++] = (char)scanner->byte;
        advance(scanner);
    }
    word[used] = '\0';
}

/* An integer literal without L that an int of 32 bits does not hold. */
static bool
is_cut(const char *word)
{
    char *end = NULL;
    bool hexadecimal = word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
    errno = 0;
    long long value = strtoll(word, &end, hexadecimal ? 16 : 10);
    if (*end != '\0')
        return false; /* a float, or with an L */
    return errno == ERANGE || value > INT32_MAX || value < INT32_MIN;
}

static int
scan(struct scanner *scanner, const char *path, struct complaint *complaint)
{
    char name[WORD_BYTES_MAX] = "";
    char word[WORD_BYTES_MAX];
    advance(scanner);
    while (scanner->byte != EOF) {
        if (scanner->byte == '#' || scanner->byte == '@') {
            skip_line(scanner);
        } else if (scanner->byte == '"') {
            skip_string(scanner);
        } else if (scanner->byte == '/') {
            skip_comment(scanner);
        } else if (is_word_byte(scanner->byte)) {
            bool number = !isalpha(scanner->byte) && scanner->byte != '*';
            unsigned line = scanner->line;
            take_word(scanner, word);
            if (!number)
                memcpy(name, word, sizeof(name));
            else if (is_cut(word))
                return complain(complaint, EX_CONFIG,
                                "%s:%u: %s: %s is beyond 32 bits and needs an L: %sL", path, line,
                                name, word, word);
        } else {
            advance(scanner);
        }
    }
    return 0;
}

int
config_literals_check(const char *path, struct complaint *complaint)
{
    /* A pipe can be read only once, and libconfig has done so. */
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
        return 0;
    struct scanner scanner = {.file = fopen(path, "re"), .line = 1};
    if (scanner.file == NULL)
        return 0;
    int result = scan(&scanner, path, complaint);
    (void)fclose(scanner.file);
    return result;
}
