/* segments_options.c -- the table of the options of `segments`, and what is refused.
 *
 * Runs in the process of `mygrpcadapter segments`, before anything else. An option is one line in
 * the table and one in the text of --help.
 */
#include "commands/segments/segments_options.h"

#include <getopt.h>
#include <string.h>
#include <sysexits.h>

#include "base/complaint.h"
#include "segment/segment_directory.h"

#define SEE_HELP "see mygrpcadapter segments --help"

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"dump", no_argument, NULL, 'd'},
    {"escape", no_argument, NULL, 'e'},
    {"verify", no_argument, NULL, 'v'},
    {"set-aside", required_argument, NULL, 's'},
    {"put-back", required_argument, NULL, 'p'},
    {NULL, 0, NULL, 0},
};

static const char help_text[] =
    "Usage: mygrpcadapter segments DIRECTORY [OPTION...]\n"
    "Lists the segments and ledgers of an adapter, running or not. Without one of the last two\n"
    "options it changes nothing and takes no lock. DIRECTORY is a segments.directory, or an\n"
    "output.root with " SEGMENT_DIRECTORY_NAME " beneath it.\n"
    "\n"
    "  --dump      print the records instead: a line for each, then its text as it is\n"
    "  --escape    with --dump: the text on the same line, bytes other than ASCII as \\xNN\n"
    "  --verify    say how much was checked, and exit 1 if anything of it is damaged\n"
    "\n"
    "  --set-aside DESTINATION  have the running adapter set aside what waits for an output that\n"
    "              cannot be written: stdout, or file: and the name, as they are listed. The\n"
    "              records go to files in " SEGMENT_DIRECTORY_ASIDE
    "/ and wait no more. They are not delivered.\n"
    "  --put-back NAME  give such a file back: the adapter, now or when it is started, delivers\n"
    "              its records, each once, behind what was delivered meanwhile\n"
    "\n"
    "  -h, --help  this text\n"
    "\n"
    "A line for each segment, `-` where there is nothing to say:\n"
    "  STATE       new, open, sealed, aside or quarantined\n"
    "  WRITER      the process that has it locked; ? if this system does not say\n"
    "  RECORDS     that are whole\n"
    "  PAYLOAD     bytes of text in them; FILE: bytes of the file\n"
    "  CONSUMED    records that the ledgers say are delivered\n"
    "  NEXT        offset of the first record that is not\n"
    "A line for each destination:\n"
    "  STATE       settled, batch (under way, LENGTH bytes from OFFSET), or none (no ledger yet)\n"
    "  SEGMENTS    in which it has been delivered up to some place\n"
    "  WAITING     records to deliver still; BYTES: of their text\n"
    "--dump: segment, sequence, offset, time, destination, bytes of text, and consumed, waiting "
    "or, in\n"
    "quarantine/ or " SEGMENT_DIRECTORY_ASIDE "/, aside.\n"
    "\n"
    "Exit status: 0 all could be read, or it was done; 1 --verify found damage, or it was not "
    "done;\n"
    "64 wrong arguments; 66 DIRECTORY or a file in it cannot be read; 69 no adapter runs there;\n"
    "75 the adapter has not answered yet.\n";

/* What getopt_long() did not like about argv[optind - 1]. */
static int
complain_about_option(char **argv, struct complaint *complaint)
{
    if (optopt == 0)
        return complain(complaint, EX_USAGE, "%s: no such option, " SEE_HELP, argv[optind - 1]);
    for (const struct option *option = long_options; option->name != NULL; option++) {
        if (option->val == optopt && argv[optind - 1][1] == '-')
            return complain(complaint, EX_USAGE, "%s: takes %s value", argv[optind - 1],
                            option->has_arg == no_argument ? "no" : "a");
    }
    return complain(complaint, EX_USAGE, "-%c: no such option, " SEE_HELP, optopt);
}

/* What is asked of --set-aside and --put-back. */
static int
check_deed(const struct segments_options *options, struct complaint *complaint)
{
    if (options->set_aside != NULL && options->put_back != NULL)
        return complain(complaint, EX_USAGE, "--put-back: not together with --set-aside");
    if (options->dump || options->verify)
        return complain(complaint, EX_USAGE, "%s: not together with --dump or --verify",
                        options->set_aside != NULL ? "--set-aside" : "--put-back");
    if (options->set_aside != NULL && strcmp(options->set_aside, "stdout") != 0 &&
        (strncmp(options->set_aside, "file:", 5) != 0 || options->set_aside[5] == '\0'))
        return complain(complaint, EX_USAGE,
                        "--set-aside %s: give stdout, or file: and a name, as they are listed",
                        options->set_aside);
    if (options->put_back != NULL &&
        (options->put_back[0] == '\0' || strchr(options->put_back, '/') != NULL))
        return complain(complaint, EX_USAGE,
                        "--put-back %s: give the name of a file in " SEGMENT_DIRECTORY_ASIDE "/",
                        options->put_back);
    return 0;
}

/* What belongs together, once all are read; `left` are the arguments that are no options. */
static int
check_together(struct segments_options *options, char **left, int left_count,
               struct complaint *complaint)
{
    if (left_count == 0)
        return complain(complaint, EX_USAGE, "DIRECTORY is missing, " SEE_HELP);
    if (left_count > 1)
        return complain(complaint, EX_USAGE, "%s: only one DIRECTORY at a time", left[1]);
    if (left[0][0] == '\0')
        return complain(complaint, EX_USAGE, "DIRECTORY is empty");
    if (options->escape && !options->dump)
        return complain(complaint, EX_USAGE, "--escape: says how --dump prints, which is missing");
    options->directory = left[0];
    return options->set_aside != NULL || options->put_back != NULL ? check_deed(options, complaint)
                                                                   : 0;
}

int
segments_options_parse(struct segments_options *options, int argc, char **argv,
                       struct complaint *complaint)
{
    *options = (struct segments_options){.directory = NULL};
    optind = 0; /* makes glibc start afresh */
    opterr = 0;
    int found;
    while ((found = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        switch (found) {
        case 'h':
            options->help = true;
            break;
        case 'd':
            options->dump = true;
            break;
        case 'e':
            options->escape = true;
            break;
        case 'v':
            options->verify = true;
            break;
        case 's':
            options->set_aside = optarg;
            break;
        case 'p':
            options->put_back = optarg;
            break;
        default:
            return complain_about_option(argv, complaint);
        }
    }
    return options->help ? 0 : check_together(options, argv + optind, argc - optind, complaint);
}

void
segments_options_print_help(FILE *out)
{
    (void)fputs(help_text, out);
}
