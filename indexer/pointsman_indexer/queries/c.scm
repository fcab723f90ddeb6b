(function_definition declarator: (function_declarator declarator: (_) @name)) @definition.function
(function_definition declarator: (_ declarator: (function_declarator declarator: (_) @name))) @definition.function
(function_definition
  declarator: (_ declarator: (_ declarator: (function_declarator declarator: (_) @name)))) @definition.function
; A prototype outside of bodies, where it stands below include guards as a rule; `parse` looks whether those do.
(translation_unit (declaration declarator: (function_declarator declarator: (identifier) @name)) @definition.function)
(declaration_list (declaration declarator: (function_declarator declarator: (identifier) @name)) @definition.function)
(linkage_specification
  (declaration declarator: (function_declarator declarator: (identifier) @name)) @definition.function)
(preproc_ifdef (declaration declarator: (function_declarator declarator: (identifier) @name)) @definition.prototype)
(preproc_if (declaration declarator: (function_declarator declarator: (identifier) @name)) @definition.prototype)
(preproc_else (declaration declarator: (function_declarator declarator: (identifier) @name)) @definition.prototype)
(preproc_elif (declaration declarator: (function_declarator declarator: (identifier) @name)) @definition.prototype)
(translation_unit
  (declaration declarator: (_ declarator: (function_declarator declarator: (identifier) @name))) @definition.function)
(declaration_list
  (declaration declarator: (_ declarator: (function_declarator declarator: (identifier) @name))) @definition.function)
(linkage_specification
  (declaration declarator: (_ declarator: (function_declarator declarator: (identifier) @name))) @definition.function)
(preproc_ifdef
  (declaration declarator: (_ declarator: (function_declarator declarator: (identifier) @name))) @definition.prototype)
(preproc_if
  (declaration declarator: (_ declarator: (function_declarator declarator: (identifier) @name))) @definition.prototype)
(preproc_else
  (declaration declarator: (_ declarator: (function_declarator declarator: (identifier) @name))) @definition.prototype)
(preproc_elif
  (declaration declarator: (_ declarator: (function_declarator declarator: (identifier) @name))) @definition.prototype)
(translation_unit
  [(declaration declarator: (init_declarator declarator: (identifier) @name)) @definition.variable
   (preproc_ifdef (declaration declarator: (init_declarator declarator: (identifier) @name)) @definition.variable)
   (preproc_if (declaration declarator: (init_declarator declarator: (identifier) @name)) @definition.variable)])
(struct_specifier name: (type_identifier) @name body: (_)) @definition.struct
(union_specifier name: (type_identifier) @name body: (_)) @definition.struct
(enum_specifier name: (type_identifier) @name body: (_)) @definition.enum
(type_definition declarator: (type_identifier) @name) @definition.type
(preproc_def name: (identifier) @name) @definition.macro
(preproc_function_def name: (identifier) @name) @definition.macro
(comment) @doc
