# One image for two systems, and a report that is made from it.
variable "NAME" { default = "everybody" }

group "default" { targets = ["greeting", "report"] }

target "_common" {
  args = { NAME = NAME }
}

target "greeting" {
  inherits  = ["_common"]
  target    = "greeting"
  platforms = ["linux/amd64", "windows/amd64"]
  tags      = ["greeting"]
}

target "words" {
  inherits  = ["_common"]
  target    = "words"
  platforms = ["linux/amd64"]
}

target "report" {
  contexts          = { words = "target:words" }
  platforms         = ["linux/amd64"]
  tags              = ["report"]
  dockerfile-inline = <<EOT
FROM wbuild.local/linux
RUN --mount=type=bind,from=words,target=/words sort /words/words.txt > /report.txt
CMD ["cat", "/report.txt"]
EOT
}
