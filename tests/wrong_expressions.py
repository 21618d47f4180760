"""Expressions that are wrong: a bar stands before the character that the caret must point at."""

from __future__ import annotations

KNOWN = ("depth", "mask", "min", "max", "intensity", "r", "g", "b")
"""The maps that there are."""

WRONG: dict[str, list[str]] = {
    "the expression is empty": ["¦", "¦ ", "¦\t\r\n  "],
    "a value is missing at the end": [
        "1+¦", "1 +¦  ", "depth*¦", "-¦", "+ -¦", "(¦", "((¦ ", "1 <¦", "2**¦", "2**-¦", "abs(¦",
        "clip(depth,¦", "clip(depth, 0,¦", "(1+¦", "depth ==¦", "linear(x=¦", "linear(¦",
        "linear(x=1,¦",
    ],
    "a value is missing before": [
        "¦*depth", "¦/2", "¦**2", "1+¦*2", "1*¦/2", "2**¦*2", "1 +\n¦* 2", "1 -¦* 2", "(¦)", "¦)",
        "¦))", "(1+¦)", "¦,", "¦,1", "(¦,1)", "abs(¦,)", "abs(¦*)", "max(1,¦)", "max(1,¦,2)",
        "max(¦,1,2)", "clip(depth, 0, 1,¦)", "¦<1", "¦==1", "depth<¦<1", "depth>¦>1", "depth<¦>1",
        "depth==¦=1", "depth<=¦>1", "depth!=¦=1", "¦=1", "1-¦)", "abs(1,¦)", "linear(¦,)",
        "linear(x=¦)", "linear(x=¦,y=1)", "linear(x=1,¦,y=1)", "linear(x=1,¦)", "linear(x=(¦=1))",
        "radial(¦*2)", "radial(¦=1)",
    ],
    "an operator is missing before": [
        "1 ¦2", "depth ¦mask", "2¦depth", "2¦(3)", "(1)¦(2)", "(depth)¦mask", "depth¦(2)", "pi¦(2)",
        "x¦(0)", "abs(1)¦(2)", "abs(1 ¦2)", "linear(x=1 ¦y=2)", "1.2¦.3", "1.¦.2", "1¦_000",
        "0¦x10", "0¦b1", "0¦o7", "1¦e", "1¦e+", "1¦e+x", "1¦j", "1¦L", "1e5¦.5", "depth¦.5",
        "linear ¦linear", "x ¦y", "1 ¦for", "depth ¦is depth", "depth ¦in mask",
        "depth ¦lambda", "depth ¦__class__", "radial() ¦radial",
    ],
    "this parenthesis is never closed": [
        "¦(1", "(1)+¦(2", "¦((1)", "(¦(1", "abs¦(1", "clip¦(depth, 0, 1", "clip¦(depth, (0), 1",
        "max¦((1), 2", "linear¦(x=1", "radial(x=¦(1", "1+¦(2*(3)",
    ],
    "this parenthesis was never opened": [
        "1¦)", "(1)¦)", "depth+1¦)", "abs(1)¦)", "linear()¦)", "1¦)+(2", "x¦)(",
    ],
    "commas are for the arguments": ["1¦,2", "0¦,5*depth", "(1¦,2)", "abs((1¦,2))", "depth¦,"],
    "no map is named": [
        "¦dpeth", "1-¦Depth", "clip(2*abs(¦dpeth-0.4),0,1)*(1-mask)", "¦a", "¦_", "¦__name__",
        "¦__builtins__", "¦lambda x: x", "¦import os", "¦depth2", "¦e", "¦inf", "¦nan", "¦None",
        "¦X", "¦PI", "¦self.x", "¦os.system", "linear(x=¦z)", "max(depth, ¦q)", "¦yield",
        "¦photo.png", "mask*¦dir/depth.png", "depth - ¦Mask", "¦C:\\depth.png", "¦" + "a" * 4096,
    ],
    "is a function; write": ["¦abs", "¦clip*2", "1-¦sqrt", "¦where", "(¦log)(1)", "¦exp depth"],
    "no function is named": [
        "¦f(1)", "¦sine(1)", "1+¦clamp(1, 0, 1)", "¦eval('1')", "¦exec(1)", "¦__import__('os')",
        "¦open(1)", "¦print(1)", "¦getattr(depth, mask)", "¦pow(2, 2)", "¦ABS(1)", "¦tan(1)",
        "¦round(1)", "¦sum(1, 2)", "abs(¦abs2(1))", "¦_(1)", "¦Linear()", "¦globals()", "¦type(1)",
        "¦atan2(y, x)", "¦range(9**9)", "¦lambda(1)", "¦" + "f" * 500 + "(1)",
    ],
    "takes 1 argument, not": ["¦abs()", "¦sqrt(1, 2)", "1+¦sin()", "¦floor(1, 2, 3)", "¦exp( )"],
    "takes 3 arguments, not": [
        "¦clip()", "¦clip(depth)", "¦clip(1, 2)", "¦clip(1, 2, 3, 4)", "¦mix(1, 2)", "2*¦where(1)",
        "¦smoothstep(0, 1)", "abs(¦mix(1))",
    ],
    "takes 2 or more arguments, not": ["¦min()", "¦max(depth)", "1-¦max(1)", "¦min((1))"],
    "have no names": [
        "abs(v¦=1)", "max(1, b ¦= 2)", "clip(depth, low¦=0, high=1)", "where(a¦=b,1,0)",
    ],
    "need their names": [
        "linear(¦0.5)", "linear(¦depth)", "radial(x=1, ¦2)", "radial(¦(1))", "linear(¦-1)",
        "linear(¦x)", "linear(x=mask, ¦x)", "linear(¦x==1)", "radial(¦+1)", "linear(¦radial())",
    ],
    "linear has no": [
        "linear(¦z=1)", "linear(¦radius=1)", "linear(x=1, ¦X=2)", "linear(¦heather=1)",
    ],
    "radial has no": ["radial(¦width=1)", "radial(¦angle=1)", "1-radial(x=1, ¦__x__=1)"],
    "is given twice": ["linear(x=1, ¦x=2)", "radial(y=1, x=2, ¦y=1)", "linear(x=x, ¦x=x)"],
    "must be 0 or more": [
        "linear(width=¦-1)", "linear(feather=¦-0.1)", "radial(radius=¦-1e-9)",
        "radial(feather=¦1-2)", "radial(x=1, radius=¦(0-1), feather=1)",
    ],
    "comparisons are not chained": [
        "0<depth¦<1", "0 < depth ¦<= 1", "depth==mask¦==1", "1<2¦>3", "1+1<2*3¦!=0", "(1<2)<3¦<4",
        "abs(0<1¦<2)", "1 < -2 ¦> 3",
    ],
    "is no real and finite number": [
        "1¦/0", "depth*(1¦/0)", "1-1¦/(2-2)", "¦log(0)", "¦log(-1)", "¦sqrt(-1)",
        "depth*¦sqrt(0-2)",
        "(-1)¦**0.5", "0¦**-1", "(-2)¦**(1/3)", "0¦/0", "1¦/(1<0)", "max(1, 1¦/0)",
        "linear(x=1¦/0)", "where(1, 2, ¦log(0))", "1¦/-0",
    ],
    "is beyond": [
        "10¦**400", "10¦**39", "9¦**9**9", "2¦**128", "¦exp(1000)", "¦exp(89)", "3e38¦*3",
        "3e38¦+3e38", "-3e38¦-3e38", "1¦/1e-39", "depth**(9¦**9**9)", "¦mix(3e38, -3e38, 3e38)",
    ],
    "a number is at most 3.40282e+38": ["¦1e39", "1+¦1e400", "¦" + "9" * 40, "depth*¦1e9999999999"],
    "more than 50": [
        "(" * 50 + "¦(1" + ")" * 51, "-" * 50 + "¦-1", "1" + "**1" * 50 + "¦**1",
        "abs(" * 50 + "abs¦(1",
        "(" * 50 + "¦" + "(" * 4000, "-+" * 25 + "¦(depth)", "linear(x=" * 50 + "radial¦(x=1",
        "(" * 50 + "¦-1", "(" * 50 + "depth¦**2",
    ],
    "at most 4096 characters": [
        "1+" * 2048 + "¦1", " " * 4096 + "¦1", "x" * 4096 + "¦" + "x" * 9999,
    ],
    "there is no": [
        "depth ¦and mask", "depth ¦or mask", "¦not depth", "depth ¦if mask else 1", "¦True",
        "1-¦False", "¦not(depth)", "¦and", "¦if(depth, 1, 2)", "1 ¦else 2", "depth ¦not in mask",
    ],
    "'.' has no meaning here": [
        "depth¦.png", "depth¦.__class__", "depth ¦. real", "(1)¦.x", "abs(1)¦.x", "¦.", "¦..",
        "x¦.y",
        "pi¦.real", "1+¦.e5", "depth¦.png:r", "linear()¦.x", "¦./depth.png", "abs(depth¦.a)",
    ],
    "'[' has no meaning here": ["depth¦[0]", "¦[1, 2]", "(depth)¦[0:1]", "abs(depth¦[0])"],
    "'{' has no meaning here": ["¦{1}", "depth¦{0}", "1+¦{}"],
    "']' has no meaning here": ["1¦]", "¦]"],
    '"\'" has no meaning here': ["¦'a'", "abs(¦'depth')", "1+¦''", "depth¦'", "linear(¦'x')"],
    "'\"' has no meaning here": ['¦"depth.png"', 'depth ¦"a"', 'r¦"a"', 'max(1, ¦"")'],
    "';' has no meaning here": ["depth¦;", "1¦; 2", "¦;", "abs(1¦;2)"],
    "'#' has no meaning here": ["1 ¦# one", "¦#fff", "depth¦#"],
    "'=' has no meaning here": [
        "depth¦=1", "1¦=1", "x ¦= 2", "depth¦=<1", "depth¦=>1", "(depth¦=1)",
    ],
    "':' has no meaning here": ["depth¦:r", "depth¦:=1", "x¦: 1", "¦:", "abs(depth¦:g)"],
    "'^' has no meaning here": ["depth¦^2", "2¦^-1", "¦^", "1+¦^2"],
    "'&&' has no meaning here": ["depth ¦&& mask", "¦&&"],
    "'&' has no meaning here": ["depth ¦& mask", "1+¦&depth", "¦& &"],
    "'||' has no meaning here": ["depth ¦|| mask"],
    "'|' has no meaning here": ["depth ¦| mask", "¦|depth|"],
    "'!' has no meaning here": ["¦!depth", "1+¦!depth", "5¦!", "depth ¦! =1"],
    "'~' has no meaning here": ["¦~depth", "1-¦~1"],
    "'?' has no meaning here": ["depth ¦? 1 : 2", "¦?"],
    "'%' has no meaning here": ["depth ¦% 2", "50¦%"],
    "'//' has no meaning here": ["7¦//2", "¦//depth.png", "1 ¦// one"],
    "'@' has no meaning here": ["depth¦@mask", "¦@"],
    "'$' has no meaning here": ["depth¦$", "¦$HOME"],
    "'`' has no meaning here": ["¦`id`"],
    "'\\\\' has no meaning here": ["depth¦\\mask", "1 ¦\\\n+ 2"],
    "U+0000 has no meaning here": ["depth¦\0", "¦\0"],
    "U+001B has no meaning here": ["depth¦\x1b[31m", "1+¦\x1b"],
    "U+0007 has no meaning here": ["1 ¦\a"],
    "U+000B has no meaning here": ["1¦\v+2"],
}  # fmt: skip

WIDE: list[tuple[str, int, str]] = [
    ("¦é", 0, "names are made of the letters"),
    ("depth+¦ß", 6, "names are made of the letters"),
    ("d¦épth", 1, "'é' (U+00E9)"),
    ("¦深度", 0, "'深' (U+6DF1)"),
    ("depth*¦深度", 6, "names are made of the letters"),
    ("1+¦１", 2, "did you mean '1'?"),
    ("¦（1）", 0, "did you mean '('?"),
    ("¦٣", 0, "'٣' (U+0663)"),
    ("2*¦०", 2, "'०' (U+0966)"),
    ("¦ｄepth", 0, "did you mean 'd'?"),
    ("¦𝐱", 0, "did you mean 'x'?"),
    ("d¦еpth", 1, "'е' (U+0435)"),
    ("1¦\u00a0+ 2", 1, "U+00A0 has no meaning here; write a plain blank"),
    ("1¦\u3000+ 2", 1, "U+3000 has no meaning here; write a plain blank"),
    ("1¦\u2028+ 2", 1, "U+2028"),
    ("1+¦\u200b2", 2, "U+200B"),
    ("1+¦\u202edepth", 2, "U+202E"),
    ("¦\ufeff1", 0, "U+FEFF"),
    ("depth ¦− mask", 6, "'−' (U+2212) has no meaning here; write -"),
    ("2¦×depth", 1, "write *"),
    ("depth¦²", 5, "write **2"),
    ("depth ¦≤ 1", 6, "write <="),
    ("1-¦π", 2, "write pi"),
    ("1+¦\U0001f600", 2, "U+1F600"),
    ("1+¦\ud800", 2, "U+D800"),
    ("1+¦\udc80", 2, "U+DC80"),
    ("1+¦\U0010ffff", 2, "U+10FFFF"),
    ("de¦\u0301pth", 1, "U+0301 has no meaning here"),
    ("¦\u0301", 0, "U+0301 has no meaning here"),
]
"""With the caret's column, where characters take none or two, or are printed otherwise."""
