#!/bin/sh
# A helper that misbehaves as its second argument says. The first is the protocol's name.

read_request() {
    while IFS= read -r line; do
        [ "$line" = "." ] && return 0
    done
    return 1
}

say_yes() {
    printf 'Authenticated: Yes\nUser-Session-Key: 000102030405060708090A0B0C0D0E0F\n.\n'
}

case "$2" in
    obedient)       while read_request; do say_yes; done ;;
    lingers)        while read_request; do say_yes; done; exec sleep 90 ;;
    refuses-once)   while read_request; do printf 'Authenticated: No\n.\n'; done ;;
    refuses-twice)  while read_request; do printf 'Authenticated: No\nAuthentication-Error: no\n.\n.\n'; done ;;
    hangs)          while read_request; do :; done ;;
    deaf)           exec sleep 90 ;;
    garbage)        while read_request; do echo 'Welcome to the helper!'; done ;;
    endless)        read_request; while :; do echo 'More: of the same'; done ;;
    half)           read_request; printf 'Authenticated: Yes\nUser-Session-'; exec sleep 90 ;;
    hasty)          say_yes; while read_request; do say_yes; done ;;
    repeats)        while read_request; do say_yes; say_yes; done ;;
    dies-at-once)   exit 3 ;;
    dies-asked)     read_request; exit 3 ;;
    dies-half-way)  read_request; echo 'Authenticated: Yes'; exit 3 ;;
    dies-after-one) read_request; say_yes; exit 3 ;;
    no-key)         while read_request; do printf 'Authenticated: Yes\n.\n'; done ;;
    error)          while read_request; do printf 'Error: No username supplied!\n.\n'; done ;;
    slow)           while read_request; do sleep "$3"; say_yes; done ;;
    *)              exit 64 ;;
esac
