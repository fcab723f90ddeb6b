; @name is every word that may be a use, @type and @base say more of some of them, @local binds a name in a function,
; @field one in a class, @made is a call that may make the object whose member is taken, @import is a statement that
; `imports` reads.
(identifier) @name
(type (identifier) @type)
(class_definition superclasses: (argument_list [(identifier) @base (attribute attribute: (identifier) @base)]))
(parameters [(identifier) @local (_ . (identifier) @local)])
(lambda_parameters (identifier) @local)
(assignment left: [(identifier) @local (pattern_list (identifier) @local)])
(for_statement left: [(identifier) @local (pattern_list (identifier) @local)])
(for_in_clause left: [(identifier) @local (pattern_list (identifier) @local)])
(as_pattern_target (identifier) @local)
(attribute object: (call) @made)
[(import_statement) (import_from_statement)] @import
