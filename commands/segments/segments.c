/* segments.c -- `mygrpcadapter segments` from its arguments to its exit code.
 *
 * A process of its own, started by a person. It lists the directory, reads each file once and
 * prints what it found; with --dump the records go to standard output alone and all else to
 * standard error.
 */
#include "commands/segments/segments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/complaint.h"
#include "commands/segments/segments_deeds.h"
#include "commands/segments/segments_inspect.h"
#include "commands/segments/segments_options.h"
#include "commands/segments/segments_report.h"
#include "commands/standard_output.h"

#define NAME "mygrpcadapter segments"

/* Says what was found. Returns 0 or -ENOMEM; *damaged_r is how many files are damaged. */
static int
report(const struct segments_inspection *inspection, const struct segments_options *options,
       size_t *damaged_r)
{
    const struct segments_row *rows = inspection->rows;
    size_t count = inspection->row_count;
    FILE *out = options->dump ? stderr : stdout;
    int result = 0;
    if (!options->dump) {
        result = segments_report_segments(out, rows, count);
        (void)fputc('\n', out);
        if (result == 0)
            result = segments_report_outputs(out, &inspection->outputs);
        segments_report_aside(out, rows, count);
    }
    *damaged_r = segments_report_damage(out, rows, count);
    if (options->verify)
        segments_report_verdict(out, rows, count, *damaged_r);
    return result;
}

static int
complain_about(int error, const char *directory)
{
    if (error == -ENOMEM) {
        (void)fprintf(stderr, NAME ": %s\n", strerror(ENOMEM));
        return EX_OSERR;
    }
    (void)fprintf(stderr, NAME ": %s: %s\n", directory, strerror(-error));
    return EX_NOINPUT;
}

static int
inspect_and_report(const struct segments_options *options, int directory_fd)
{
    struct segments_inspection inspection;
    size_t damaged = 0;
    int result =
        segments_inspect(&inspection, directory_fd, options->dump ? stdout : NULL, options->escape);
    bool readable = !inspection.unreadable;
    if (result == 0)
        result = report(&inspection, options, &damaged);
    segments_inspection_close(&inspection);
    if (ferror(stdout) != 0)
        return EX_IOERR;
    if (result != 0)
        return complain_about(result, options->directory);
    if (options->verify && damaged > 0)
        return EXIT_FAILURE;
    return readable ? EXIT_SUCCESS : EX_NOINPUT;
}

static int
look_into(const struct segments_options *options)
{
    bool beneath;
    int directory_fd = segments_directory_open(options->directory, &beneath);
    if (directory_fd < 0)
        return complain_about(directory_fd, options->directory);
    if (!options->dump && options->set_aside == NULL && options->put_back == NULL)
        (void)printf("directory: %s%s\n\n", options->directory,
                     beneath ? "/" SEGMENT_DIRECTORY_NAME : "");
    int code;
    if (options->set_aside != NULL)
        code = segments_set_aside(directory_fd, options->set_aside);
    else if (options->put_back != NULL)
        code = segments_put_back(directory_fd, options->put_back);
    else
        code = inspect_and_report(options, directory_fd);
    (void)close(directory_fd);
    return code;
}

int
segments_command(int argc, char **argv)
{
    struct segments_options options;
    struct complaint complaint;
    int code = segments_options_parse(&options, argc, argv, &complaint);
    if (code != 0)
        (void)fprintf(stderr, NAME ": %s\n", complaint.text);
    else if (options.help)
        segments_options_print_help(stdout);
    else
        code = look_into(&options);
    return standard_output_end(NAME, code);
}
