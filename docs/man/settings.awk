# Writes the settings of etc/mygrpcadapter.cfg, with the comment above each, as the SETTINGS of mygrpcadapter.cfg(5):
#     awk -f settings.awk etc/mygrpcadapter.cfg docs/man/mygrpcadapter.cfg.5.in
# The first file has groups `name: {`, settings `name = value;`, both below their comment, and nothing else.

# One sentence, in lines that mandoc(1) does not find too long.
function wrap(sentence,    words, count, i, line, text) {
    count = split(sentence, words, " ")
    line = words[1]
    for (i = 2; i <= count; i++) {
        if (length(line) + 1 + length(words[i]) > 80) {
            text = text line "\n"
            line = words[i]
        } else
            line = line " " words[i]
    }
    return text line "\n"
}

# What stands in `backticks` gets the quotes of mdoc(7).
function quote(text,    done) {
    while (match(text, /`[^`]*`/)) {
        done = done substr(text, 1, RSTART - 1) "\\(oq" substr(text, RSTART + 1, RLENGTH - 2) "\\(cq"
        text = substr(text, RSTART + RLENGTH)
    }
    return done text
}

# The comment gathered so far, in the notation of mdoc(7), each sentence on a line of its own.
function paragraph(    sentences, count, i, text) {
    gsub(/\\/, "\\e", comment)
    gsub(/-/, "\\-", comment)
    gsub(/"/, "\\(dq", comment)
    gsub(/'/, "\\(aq", comment)
    count = split(quote(comment), sentences, /\. /)
    for (i = 1; i <= count; i++)
        text = text wrap(sentences[i] (i < count ? "." : ""))
    comment = ""
    return text
}

function close_list() {
    if (in_list)
        settings = settings ".El\n"
    in_list = 0
}

FNR == 1 { file++ }

file == 1 && /^ *#/ {
    sub(/^ *# ?/, "")
    comment = comment (comment == "" ? "" : " ") $0
    next
}
file == 1 && /^ *$/ { # what stands above a blank line belongs to no setting
    comment = ""
    next
}
file == 1 && /^[a-z_]+: *\{$/ {
    close_list()
    group = $1
    sub(/:.*/, "", group)
    settings = settings ".Ss " group "\n" paragraph()
    next
}
file == 1 && /^ +[a-z_0-9]+ = .*;$/ {
    if (!in_list)
        settings = settings ".Bl -tag -width Ds\n"
    in_list = 1
    value = $0
    sub(/^[^=]*= /, "", value)
    sub(/;$/, "", value)
    gsub(/"/, "\\(dq", value)
    settings = settings ".It Va " group "." $1 " No = Li " value "\n" paragraph()
    next
}
file == 1 && /^};$/ { next }
file == 1 {
    print FILENAME ":" FNR ": neither group, setting nor comment: " $0 > "/dev/stderr"
    exit 1
}

/^@SETTINGS@$/ {
    close_list()
    printf "%s", settings
    next
}
{ print }
