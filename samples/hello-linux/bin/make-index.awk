# For each word: the places where it stands, as name:line. Input: text files; output: unsorted lines "word<TAB>places".
FNR == 1 {
  name = FILENAME
  sub(/^.*\//, "", name)
  sub(/\.txt$/, "", name)
}
{
  line = tolower($0)
  gsub(/[^a-z']+/, " ", line)
  count = split(line, words, " ")
  for (i = 1; i <= count; i++) {
    word = words[i]
    gsub(/^'+|'+$/, "", word)
    if (word == "") continue
    place = name ":" FNR
    if (index(places[word] " ", " " place " ") == 0) places[word] = places[word] " " place
  }
}
END {
  for (word in places) print word "\t" substr(places[word], 2)
}
