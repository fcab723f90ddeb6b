(function_definition declarator: (function_declarator declarator: (_) @name)) @definition.function
(function_definition declarator: (_ (function_declarator declarator: (_) @name))) @definition.function
(function_definition declarator: (_ (_ (function_declarator declarator: (_) @name)))) @definition.function
; A prototype outside of bodies: in one, `Lock guard(mutex())` would be taken for it. Below `#if`, `parse` looks.
(translation_unit (declaration declarator: (function_declarator declarator: (_) @name)) @definition.function)
(declaration_list (declaration declarator: (function_declarator declarator: (_) @name)) @definition.function)
(field_declaration_list (declaration declarator: (function_declarator declarator: (_) @name)) @definition.function)
(template_declaration (declaration declarator: (function_declarator declarator: (_) @name)) @definition.function)
(linkage_specification (declaration declarator: (function_declarator declarator: (_) @name)) @definition.function)
(preproc_ifdef (declaration declarator: (function_declarator declarator: (_) @name)) @definition.prototype)
(preproc_if (declaration declarator: (function_declarator declarator: (_) @name)) @definition.prototype)
(preproc_else (declaration declarator: (function_declarator declarator: (_) @name)) @definition.prototype)
(preproc_elif (declaration declarator: (function_declarator declarator: (_) @name)) @definition.prototype)
(field_declaration declarator: (function_declarator declarator: (_) @name)) @definition.function
(field_declaration declarator: (_ (function_declarator declarator: (_) @name))) @definition.function
(translation_unit
  [(declaration declarator: (init_declarator declarator: (identifier) @name)) @definition.variable
   (preproc_ifdef (declaration declarator: (init_declarator declarator: (identifier) @name)) @definition.variable)
   (preproc_if (declaration declarator: (init_declarator declarator: (identifier) @name)) @definition.variable)])
(class_specifier name: (_) @name body: (_)) @definition.class
(struct_specifier name: (_) @name body: (_)) @definition.struct
(union_specifier name: (_) @name body: (_)) @definition.struct
(enum_specifier name: (_) @name body: (_)) @definition.enum
(namespace_definition name: (_) @name) @definition.module
(concept_definition name: (identifier) @name) @definition.type
(alias_declaration name: (type_identifier) @name) @definition.type
(type_definition declarator: (type_identifier) @name) @definition.type
(preproc_def name: (identifier) @name) @definition.macro
(preproc_function_def name: (identifier) @name) @definition.macro
(template_declaration parameters: (_) @lead)
(comment) @doc
