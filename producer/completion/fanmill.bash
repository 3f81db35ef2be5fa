# bash completion for fanmill; installed as share/bash-completion/completions/fanmill.
# Commands, options and their values are read from --help, so they are those of the program at hand.

# The options of COMMAND, a line each: every name, a tab, and what it takes (nothing for a flag).
_fanmill_options() {
  "$1" "$2" --help 2>/dev/null | awk '
    /^  -/ {
      names = $1; takes = (match($0, /^  [^ ]+ [^ ]/)) ? $2 : ""
      sub(/\{.*\}$/, "", names)
      n = split(names, name, ",")
      for (i = 1; i <= n; i++) print name[i] "\t" takes
    }'
}

# A list of what follows "--format TEXT:{values,jsonl,csv}=values", or nothing.
_fanmill_choices() {
  case $1 in
    *:{*}*)
      local list=${1#*:\{}
      list=${list%%\}*}
      printf '%s\n' "${list//,/ }"
      ;;
  esac
}

_fanmill_words() {
  local IFS=$' \t\n'
  COMPREPLY=()
  while IFS= read -r word; do
    COMPREPLY+=("$word")
  done < <(compgen -W "$1" -- "$2")
}

_fanmill_files() {
  compopt -o filenames 2>/dev/null
  COMPREPLY=()
  while IFS= read -r word; do
    COMPREPLY+=("$word")
  done < <(compgen -f -- "$1")
}

_fanmill_commands() {
  "$1" --help 2>/dev/null | awk '/^Usage:/ { on = 1 } on && /^  [a-z]+ / { print $1 } /^Try it/ { exit }'
}

# The functions that can be called; without the command for it, those that are built in.
_fanmill_functions() {
  "$1" functions 2>/dev/null | awk '{ print $1 }' | grep . || printf '%s\n' sleep sleep_print echo identity
}

_fanmill() {
  local program=$1 current=$2 word takes="" previous="" place=0 i
  # Readline cuts words at ':' and '='; the words behind a `:::` are no options.
  local line=" ${COMP_LINE:0:COMP_POINT}" command=${COMP_WORDS[1]}
  if ((COMP_CWORD == 1)); then
    _fanmill_words "$(_fanmill_commands "$program") help --help --version" "$current"
    return
  fi
  case $command in
    map | exec | functions | broker | worker | workers | status) ;;
    jobs | show | cancel | pause | resume | close | forget | why | retry | submit | push | gather | results | wait) ;;
    store)
      if ((COMP_CWORD == 2)); then
        _fanmill_words "verify --help" "$current"
      else
        _fanmill_files "$current"
      fi
      return
      ;;
    help)
      _fanmill_words "$(_fanmill_commands "$program")" "$current"
      return
      ;;
    *) return ;;
  esac
  if [[ ${line##*" -- "} == *" ::"* || ($command != exec && $line == *" ::"*) ]]; then
    _fanmill_files "$current"
    return
  fi
  if [[ $command == exec && $line == *" -- "* ]]; then
    if [[ ${line##*" -- "} == *" "* ]]; then
      _fanmill_files "$current"
    else
      while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -c -- "$current")
    fi
    return
  fi
  local -A options=()
  while IFS=$'\t' read -r word takes; do
    options[$word]=$takes
  done < <(_fanmill_options "$program" "$command")
  # Which positional word this is: those before it that are neither options nor their values.
  takes=""
  for ((i = 2; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ $word == -* ]]; then
      previous=${options[$word]-}
    elif [[ $word == = ]]; then
      :
    elif [[ $previous ]]; then
      previous=""
    else
      place=$((place + 1))
    fi
  done
  if [[ $previous && $current == = ]]; then current=""; fi
  takes=$previous
  if [[ $takes ]]; then
    local choices
    choices=$(_fanmill_choices "$takes")
    if [[ $choices ]]; then
      _fanmill_words "$choices" "$current"
    elif [[ $takes == FILE* || $takes == DIR* ]]; then
      _fanmill_files "$current"
    fi
  elif [[ $current == -* ]]; then
    _fanmill_words "${!options[*]}" "$current"
  elif [[ $command == map && $place == 0 ]]; then
    _fanmill_words "$(_fanmill_functions "$program")" "$current"
  elif [[ $command == map || $command == exec ]]; then
    _fanmill_files "$current"
  else
    case $command in
      gather | results | push)
        if ((place == 0)); then _fanmill_words "last" "$current"; else _fanmill_files "$current"; fi
        ;;
      submit)
        if ((place == 0)); then
          _fanmill_words "exec $(_fanmill_functions "$program")" "$current"
        else
          _fanmill_files "$current"
        fi
        ;;
      jobs | show | cancel | pause | resume | close | forget | why | retry | wait) _fanmill_words "last all" "$current" ;;
    esac
  fi
}

complete -F _fanmill fanmill
