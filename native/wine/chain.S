/*
 * What Wine 8's cmd lacks: its lists know that a command follows `&&` or `||`, but it runs each of them all the same. These two
 * pieces are called at the head of its two loops over a list; patch-chain.ts puts them into the file and fills in the header.
 * Position independent; nothing but volatile registers is changed.
 *
 * An entry of cmd's list, which it ends by one without command for each closing bracket:
 */
        .intel_syntax noprefix
        .set command, 0x00              /* wide text, or NULL */
        .set next, 0x10
        .set delimiter, 0x18            /* what stands before it */
        .set depth, 0x1c                /* of brackets */
        /* The end of its room for the name of a pipe's file, which is never that long, is ours: */
        .set errorlevel_before, 0x220
        .set opens, 0x226               /* byte: how many brackets begin with it */
        .set keeps, 0x227               /* byte: the command before leaves errorlevel alone when it succeeds */
        .set on_failure, 1
        .set on_success, 2

        .text
header:
errorlevel:     .long 0                 /* distances from the header */
list_loop:      .long 0                 /* where WCMD_process_commands asks whether there is an entry, in rbx */
part_loop:      .long 0                 /* where WCMD_part_execute does */
                .long list_hook - header
                .long part_hook - header

/* Instead of `mov rcx,[rbx]; test esi,esi`: rbx is the entry, [rsp+0x70] of the caller too. */
list_hook:
        mov     rcx, rbx
        call    decide
        test    eax, eax
        jnz     1f
        mov     rcx, [rbx + command]
        test    esi, esi
        ret
1:      mov     rbx, rcx
        add     rsp, 8
        mov     [rsp + 0x70], rbx
        lea     rax, header[rip]
        movsxd  rdx, dword ptr list_loop[rip]
        add     rax, rdx
        jmp     rax

/* Instead of `mov eax,[rcx+0x18]; sub eax,1`: rcx, rbx and [r15] are the entry, esi says whether this part is run at all. */
part_hook:
        test    esi, esi
        jz      1f
        call    decide
        test    eax, eax
        jnz     2f
1:      mov     eax, [rcx + delimiter]
        sub     eax, 1
        ret
2:      mov     rbx, rcx
        mov     [r15], rbx
        add     rsp, 8
        lea     rax, header[rip]
        movsxd  rdx, dword ptr part_loop[rip]
        add     rax, rdx
        jmp     rax

/* Shall the entry in rcx run? eax is 0; else it is 1 and rcx the entry (or NULL) behind what is left out. */
decide:
        lea     r10, header[rip]
        movsxd  rax, dword ptr errorlevel[rip]
        add     r10, rax                        /* &errorlevel, as long as decide runs */
        mov     eax, [rcx + delimiter]
        cmp     eax, on_failure
        je      1f
        cmp     eax, on_success
        jne     run
1:      mov     r8d, [r10]
        cmp     byte ptr [rcx + keeps], 1
        jne     2f
        mov     byte ptr [rcx + keeps], 0
        test    r8d, r8d
        jnz     2f
        mov     r9d, [rcx + errorlevel_before]
        mov     [r10], r9d
2:      cmp     eax, on_failure
        je      3f
        test    r8d, r8d
        jz      run
        jmp     leave_out
3:      test    r8d, r8d
        jz      leave_out

/* Notes in the next entry what it has to know of this one. */
run:
        mov     rdx, [rcx + next]
        test    rdx, rdx
        jz      2f
        mov     r8d, [rcx + depth]
        mov     r9d, [rdx + depth]
        cmp     qword ptr [rcx + command], 0
        jne     1f
        dec     r8d                             /* a closing bracket lies in it */
        call    note_brackets
        jmp     2f
1:      call    note_brackets
        call    behind_brackets
        test    rdx, rdx
        jz      2f
        mov     byte ptr [rdx + keeps], 0
        mov     eax, [rdx + delimiter]
        dec     eax
        cmp     eax, on_success - 1
        ja      2f
        push    rcx
        push    rdx
        mov     rcx, [rcx + command]
        lea     rdx, keeping[rip]
        call    is_word
        pop     rdx
        pop     rcx
        test    eax, eax
        jz      2f
        mov     eax, [r10]
        mov     [rdx + errorlevel_before], eax
        mov     byte ptr [rdx + keeps], 1
        mov     dword ptr [r10], 0
2:      xor     eax, eax
        ret

/* With the brackets that it opens goes all that is inside, up to the end of the outermost; with `if` and `for` their parts. */
leave_out:
        movzx   eax, byte ptr [rcx + opens]
        mov     r8d, [rcx + depth]
        test    eax, eax
        jz      parts
        mov     rcx, [rcx + next]
        sub     r8d, eax
        inc     r8d                             /* depth inside of the outermost */
1:      test    rcx, rcx
        jz      left_out
        cmp     [rcx + depth], r8d
        jl      3f
        jg      2f
        cmp     qword ptr [rcx + command], 0
        jne     2f
        mov     rcx, [rcx + next]
        jmp     3f
2:      mov     rcx, [rcx + next]
        jmp     1b
3:      dec     r8d
        jmp     left_out

parts:
        push    r8
        push    rcx
        mov     rcx, [rcx + command]
        lea     rdx, with_parts[rip]
        call    is_word
        pop     rcx
        pop     r8
        mov     rcx, [rcx + next]
        test    eax, eax
        jz      left_out
1:      test    rcx, rcx
        jz      left_out
        cmp     [rcx + depth], r8d
        jg      2f
        jl      left_out
        push    r8
        push    rcx
        mov     rcx, [rcx + command]
        lea     rdx, part_begins[rip]
        call    is_word
        pop     rcx
        pop     r8
        test    eax, eax
        jz      left_out
2:      mov     rcx, [rcx + next]
        jmp     1b

/* rcx is the entry to go on with, r8d how many brackets are open before it. */
left_out:
        test    rcx, rcx
        jz      1f
        mov     rdx, rcx
        mov     r9d, [rcx + depth]
        call    note_brackets
        call    behind_brackets
        test    rdx, rdx
        jz      1f
        mov     byte ptr [rdx + keeps], 0
1:      mov     eax, 1
        ret

/* From the entry in rdx on to the first one with a command; NULL when there is none. */
behind_brackets:
        cmp     qword ptr [rdx + command], 0
        jne     1f
        mov     rdx, [rdx + next]
        test    rdx, rdx
        jnz     behind_brackets
1:      ret

/* That the entry in rdx, of depth r9d, opens brackets where r8d are open. */
note_brackets:
        xor     eax, eax
        sub     r9d, r8d
        cmovs   r9d, eax
        mov     byte ptr [rdx + opens], r9b
        ret

/* 1 in eax when the command in rcx (may be NULL) begins with one of the words in rdx. Changes rcx, rdx, r8 and r9. */
is_word:
        xor     eax, eax
        test    rcx, rcx
        jz      9f
1:      movzx   eax, word ptr [rcx]
        cmp     eax, ' '
        je      2f
        cmp     eax, '\t'
        je      2f
        cmp     eax, '@'
        jne     4f
2:      add     rcx, 2
        jmp     1b
4:      xor     r8d, r8d                        /* place in the word */
        cmp     byte ptr [rdx], 0
        je      8f
5:      movzx   r9d, byte ptr [rdx]
        movzx   eax, word ptr [rcx + r8 * 2]
        or      eax, 0x20
        inc     rdx
        test    r9d, r9d
        jz      6f
        inc     r8d
        cmp     eax, r9d
        je      5b
7:      cmp     byte ptr [rdx], 0               /* on to the next word */
        lea     rdx, [rdx + 1]
        jne     7b
        jmp     4b
6:      sub     eax, 'a'                        /* the word has ended: so must the command's */
        cmp     eax, 'z' - 'a'
        jbe     4b
        mov     eax, 1
        ret
8:      xor     eax, eax
9:      ret

/* Commands inside of cmd that set errorlevel when they fail, if ever, and never when they succeed. */
keeping:
        .asciz  "cd"
        .asciz  "chdir"
        .asciz  "cls"
        .asciz  "color"
        .asciz  "date"
        .asciz  "echo"
        .asciz  "endlocal"
        .asciz  "md"
        .asciz  "mkdir"
        .asciz  "path"
        .asciz  "popd"
        .asciz  "prompt"
        .asciz  "rem"
        .asciz  "set"
        .asciz  "setlocal"
        .asciz  "shift"
        .asciz  "time"
        .asciz  "title"
        .asciz  "ver"
        .asciz  "verify"
        .asciz  "vol"
        .byte   0

with_parts:
        .asciz  "for"
        .asciz  "if"
        .byte   0

part_begins:
        .asciz  "do"
        .asciz  "else"
        .byte   0
