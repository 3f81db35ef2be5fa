# program --help | awk -v template=PAGE.1.in -f man_options.awk: the page, with the program's options in place of the
# line @OPTIONS@, and the version in place of @VERSION@ (-v version=…).
function text(line) {
  gsub(/\\/, "\\e", line)
  gsub(/-/, "\\-", line)
  sub(/^[.']/, "\\\\\\&&", line)
  return line
}
function names_of(list, argument,   n, name, i, out) {
  n = split(list, name, ",")
  for (i = 1; i <= n; i++) {
    sub(/\{.*\}$/, "", name[i])
    out = out (i > 1 ? " , " : "") "Fl " text(substr(name[i], 2))
  }
  if (argument == "" || argument == "REQUIRED") return out
  if (match(argument, /:\{[^}]*\}/)) {
    argument = substr(argument, RSTART + 2, RLENGTH - 3)
    gsub(/,/, "|", argument)
  }
  sub(/=[^A-Z].*/, "", argument)  # the default
  return out " Ar " text(argument)
}
/^[A-Z].*:$/ { if (open) { options = options ".El\n"; open = 0 } inside = ($0 ~ /^(Options|Input|Running|Commands|Output):$/); heading = substr($0, 1, length($0) - 1); next }
/^[^ ]/ { inside = 0 }
inside && /^  -/ {
  if (!open) { options = options ".Ss " heading "\n.Bl -tag -width Ds\n"; open = 1 }
  argument = (match($0, /^  [^ ]+ [^ ]/)) ? $2 : ""
  options = options ".It " names_of($1, argument) "\n"
  description = substr($0, 29)
  if (length($0) > 28 && substr($0, 28, 1) == " ") options = options text(description) "\n"
  next
}
inside && /^ +[^ ]/ { sub(/^ +/, ""); options = options text($0) "\n" }
END {
  if (open) options = options ".El\n"
  while ((getline line < template) > 0) {
    gsub(/@VERSION@/, version, line)
    if (line == "@OPTIONS@") printf "%s", options
    else print line
  }
}
