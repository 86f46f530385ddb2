"""The page of an attribution graph: its values in, one HTML file out.

values   what the page is told: nodes, edges, texts, findings, contexts      layout   where a mark stands
live     what the screen of the browser asks of whoever has the models
page     both through the template, with style and script inlined; nothing is fetched when it is opened
"""
